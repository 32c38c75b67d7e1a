// A load's report as one HTML page that needs nothing else: no script, no network.
#ifndef ANYBIT_CLIENT_LOAD_PAGE_H_
#define ANYBIT_CLIENT_LOAD_PAGE_H_

#include <string>

#include "client/load_output.h"
#include "client/load_report.h"

namespace anybit::client {

std::string LoadPage(const LoadSent& sent, const LoadReport& report);

}  // namespace anybit::client

#endif  // ANYBIT_CLIENT_LOAD_PAGE_H_
