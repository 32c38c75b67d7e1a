#include "server/model_repository.h"

#include <algorithm>
#include <filesystem>
#include <new>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "server/shown_text.h"

namespace anybit::server {
namespace {

// Changes that wait; an operator has one.
constexpr size_t kMaxJobs = 16;

std::string Text(const model::NetworkDescription& network) {
  return absl::StrCat(network.name, " version ", network.version);
}

absl::Status Stopping(absl::string_view detail = "") {
  return absl::UnavailableError(absl::StrCat("the server is stopping", detail.empty() ? "" : ": ", detail));
}

bool IsSame(const model::NetworkDescription& a, const model::NetworkDescription& b) {
  return a.version == b.version && a.checksum == b.checksum;
}

// The same without the file's folder, which is no client's business. A file that is damaged is a wrong argument.
absl::Status ForClients(const absl::Status& status, const std::string& path) {
  const absl::StatusCode code = absl::IsDataLoss(status) ? absl::StatusCode::kInvalidArgument : status.code();
  const std::string name = std::filesystem::path(path).filename().string();
  return absl::Status(code, absl::StrReplaceAll(status.message(), {{path, name}}));
}

}  // namespace

ModelRepository::ModelRepository(Parts parts) : parts_(std::move(parts)), thread_([this] { Run(); }) {}

ModelRepository::~ModelRepository() { Stop(); }

void ModelRepository::Begin(std::unique_ptr<ServedVersion> version) {
  contract_ = version->model().network;
  (void)parts_.versions.Set({.stable = Adopt(std::move(version))});
}

void ModelRepository::Load(const inference::RepositoryModelLoadRequest& request, Done done) {
  absl::StatusOr<LoadParameters> wanted = ReadLoadParameters(request);
  Work work = [this, wanted = std::move(wanted)]() -> absl::Status {
    if (!wanted.ok()) return wanted.status();
    if (parts_.load == nullptr) return absl::UnimplementedError("this server cannot load artifacts");
    absl::Status loaded = LoadNow(*wanted);
    if (!loaded.ok()) parts_.log.Error(absl::StrCat("not loaded: ", loaded.message()));
    return loaded;
  };
  Submit("load", request.model_name(), std::move(work), std::move(done));
}

void ModelRepository::Unload(const inference::RepositoryModelUnloadRequest& request, Done done) {
  absl::StatusOr<bool> canary_only = ReadUnloadsCanaryOnly(request);
  Work work = [this, canary_only = std::move(canary_only)] {
    return canary_only.ok() ? UnloadNow(*canary_only) : canary_only.status();
  };
  Submit("unload", request.model_name(), std::move(work), std::move(done));
}

void ModelRepository::Submit(const char* what, const std::string& model, Work work, Done done) {
  absl::Status refusal;
  if (!parts_.is_allowed) {
    refusal = absl::PermissionDeniedError("load and unload are off: start the server with --admin");
  } else if (model != contract_->name) {
    refusal = absl::NotFoundError(absl::StrCat("failed to ", what, " ", ShownText(model), ": this server serves '",
                                               contract_->name, "'; start another with --artifact"));
  } else {
    absl::MutexLock lock(&mutex_);
    if (is_draining_) {
      refusal = Stopping();
    } else if (jobs_.size() >= kMaxJobs) {
      refusal = absl::UnavailableError(absl::StrCat(kMaxJobs, " loads and unloads wait already"));
    } else {
      jobs_.push_back({.work = std::move(work), .done = std::move(done)});
      return;
    }
  }
  done(refusal);
}

void ModelRepository::Run() {
  while (true) {
    std::vector<std::unique_ptr<ServedVersion>> ended;
    std::optional<Job> job;
    bool is_refused = false, is_stopping = false;
    {
      absl::MutexLock lock(&mutex_);
      const auto is_due = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        return !jobs_.empty() || !unused_.empty() || (is_stopping_ && living_.empty());
      };
      mutex_.Await(absl::Condition(&is_due));
      std::swap(ended, unused_);
      is_stopping = is_stopping_;
      unused_.reserve(living_.size());  // for Retire
      if (ended.empty() && jobs_.empty()) return;
      if (ended.empty()) {
        job = std::move(jobs_.front());
        jobs_.pop_front();
        is_refused = is_draining_;
      }
    }
    for (auto& version : ended) {
      const ServedVersion* const key = version.get();
      if (!is_stopping) parts_.log.Info(absl::StrCat("ended ", Text(version->model().network)));
      version.reset();
      absl::MutexLock lock(&mutex_);
      living_.erase(key);
    }
    if (!ended.empty() && !is_stopping && parts_.ended) parts_.ended();
    if (job.has_value()) job->done(is_refused ? Stopping() : Do(job->work));
  }
}

// An artifact takes more memory and threads than anything else, so it is where they end.
absl::Status ModelRepository::Do(Work& work) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return OutOf("memory");
  } catch (const std::system_error&) {
    return OutOf("threads");
  }
}

absl::Status ModelRepository::OutOf(const char* what) {
  const std::string reason = absl::StrCat("the server has no ", what, " left for this artifact");
  NoteLoading(std::nullopt, Failure{.version = "", .reason = reason});
  return absl::ResourceExhaustedError(reason);
}

absl::Status ModelRepository::LoadNow(const LoadParameters& wanted) {
  const absl::StatusOr<std::string> path = FindArtifact(parts_.artifact, wanted.file);
  if (!path.ok()) return path.status();
  NoteLoading(wanted.file.empty() ? std::filesystem::path(parts_.artifact).filename().string() : wanted.file, {});
  const absl::StatusOr<SharedVersion> version = Prepare(*path);
  if (!version.ok()) return loads_.stop_requested() ? Stopping(version.status().message()) : version.status();
  NoteLoading(std::nullopt, std::nullopt);
  return Give(*version, wanted);
}

absl::StatusOr<SharedVersion> ModelRepository::Prepare(const std::string& path) {
  std::string number;
  const auto fail = [&](const absl::Status& status) {
    const absl::Status told = ForClients(status, path);
    NoteLoading(std::nullopt, Failure{.version = number, .reason = std::string(told.message())});
    return told;
  };
  std::error_code error;
  const auto bytes = static_cast<int64_t>(std::filesystem::file_size(path, error));
  if (error) return fail(absl::NotFoundError("the artifact cannot be read"));
  if (absl::Status status = parts_.has_memory(bytes); !status.ok()) return fail(status);
  absl::StatusOr<std::unique_ptr<model::AdaptiveNetwork>> network = parts_.load(path);
  if (!network.ok()) return fail(network.status());
  const model::NetworkDescription& description = (*network)->description();
  number = absl::StrCat(description.version);
  for (const SharedVersion& served : parts_.versions.labels().all()) {
    if (IsSame(served->model().network, description)) return served;
  }
  absl::Status fits = SameContract(*contract_, description);
  fits.Update(CheckVersion(description));
  if (!fits.ok()) return fail(fits);
  absl::StatusOr<std::unique_ptr<ServedVersion>> version = parts_.start(*std::move(network), loads_.get_token());
  if (!version.ok()) return fail(version.status());
  return Adopt(*std::move(version));
}

absl::Status ModelRepository::CheckVersion(const model::NetworkDescription& network) const {
  for (const SharedVersion& served : parts_.versions.labels().all()) {
    if (served->model().network.version != network.version) continue;
    return absl::InvalidArgumentError(absl::StrCat("version ", network.version,
                                                   " is served with other contents; a version is one network: give "
                                                   "the new one another number"));
  }
  absl::MutexLock lock(&mutex_);
  for (const auto& [version, number] : living_) {
    if (number == network.version) {
      return absl::UnavailableError(absl::StrCat("version ", number, " is still unloading; its requests run"));
    }
  }
  return absl::OkStatus();
}

// A canary that becomes the stable version is no canary any more.
absl::Status ModelRepository::Give(SharedVersion version, const LoadParameters& wanted) {
  VersionLabels labels = parts_.versions.labels();
  if (wanted.is_canary) {
    if (labels.stable == nullptr) return absl::InvalidArgumentError("there is no stable version; load one first");
    if (version == labels.stable) {
      return absl::InvalidArgumentError(absl::StrCat(Text(version->model().network), " is the stable version already"));
    }
    labels.canary = version;
    labels.canary_share_bp = wanted.share_bp;
  } else {
    if (version == labels.canary) labels.canary = nullptr;
    labels.stable = version;
  }
  const std::string share = wanted.is_canary ? absl::StrCat("canary of ", wanted.share_bp, " bp") : "stable";
  if (absl::Status status = Set(std::move(labels)); !status.ok()) return status;
  parts_.log.Info(absl::StrCat("serving ", Text(version->model().network), " as ", share));
  return absl::OkStatus();
}

absl::Status ModelRepository::Set(VersionLabels labels) {
  VersionLabels before;  // let go of without the mutex
  {
    absl::MutexLock lock(&mutex_);
    if (is_draining_) return Stopping();
    before = parts_.versions.Set(std::move(labels));
  }
  parts_.changed();
  return absl::OkStatus();
}

absl::Status ModelRepository::UnloadNow(bool canary_only) {
  VersionLabels labels = parts_.versions.labels();
  if (labels.stable == nullptr || (canary_only && labels.canary == nullptr)) {
    return absl::NotFoundError(
        absl::StrCat("'", contract_->name, "' has no ", canary_only ? "canary" : "version", " that is served"));
  }
  for (const SharedVersion& version : labels.all()) {
    if (canary_only && version == labels.stable) continue;
    parts_.log.Info(absl::StrCat("unloading ", Text(version->model().network)));
  }
  labels.canary = nullptr;
  if (!canary_only) labels.stable = nullptr;
  return Set(std::move(labels));
}

SharedVersion ModelRepository::Adopt(std::unique_ptr<ServedVersion> version) {
  {
    absl::MutexLock lock(&mutex_);
    living_[version.get()] = version->model().network.version;
    unused_.reserve(living_.size());  // for Retire
  }
  return SharedVersion(version.release(), [this](ServedVersion* unused) { Retire(unused); });
}

// Runs wherever the last request ends, so it allocates nothing and ends nothing.
void ModelRepository::Retire(ServedVersion* version) {
  absl::MutexLock lock(&mutex_);
  unused_.emplace_back(version);
}

void ModelRepository::NoteLoading(std::optional<std::string> file, std::optional<Failure> failure) {
  absl::MutexLock lock(&mutex_);
  loading_ = std::move(file);
  failure_ = std::move(failure);
}

inference::RepositoryIndexResponse ModelRepository::Index(bool only_ready) const {
  inference::RepositoryIndexResponse response;
  const auto add = [&](const std::string& version, const char* state, const std::string& reason) {
    auto& row = *response.add_models();
    row.set_name(contract_->name);
    row.set_version(version);
    row.set_state(state);
    row.set_reason(reason);
  };
  const ServingState state = parts_.state;
  const std::vector<SharedVersion> served = parts_.versions.labels().all();
  for (const SharedVersion& version : served) {
    const std::string number = absl::StrCat(version->model().network.version);
    if (state == ServingState::kReady) {
      add(number, "READY", "");
    } else if (!only_ready) {
      add(number, "UNAVAILABLE",
          state == ServingState::kStarting ? "the server is starting" : "the server is stopping");
    }
  }
  if (only_ready) return response;
  absl::MutexLock lock(&mutex_);
  for (const auto& [living, number] : living_) {
    const auto is_it = [living = living](const SharedVersion& version) { return version.get() == living; };
    if (std::none_of(served.begin(), served.end(), is_it)) {
      add(absl::StrCat(number), "UNLOADING", "its last requests run");
    }
  }
  if (loading_.has_value()) add("", "LOADING", absl::StrCat("reading and measuring ", ShownText(*loading_)));
  if (failure_.has_value()) add(failure_->version, "UNAVAILABLE", failure_->reason);
  if (response.models().empty()) add("", "UNAVAILABLE", "unloaded");
  return response;
}

void ModelRepository::Drain() {
  loads_.request_stop();
  absl::MutexLock lock(&mutex_);
  is_draining_ = true;
}

void ModelRepository::Stop() {
  if (!thread_.joinable()) return;
  Drain();
  (void)parts_.versions.Set({});
  {
    absl::MutexLock lock(&mutex_);
    is_stopping_ = true;
  }
  thread_.join();
}

}  // namespace anybit::server
