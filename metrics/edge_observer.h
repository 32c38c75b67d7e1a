// What ends at the edge and therefore never reaches the scheduler, nor its observers.
#ifndef ANYBIT_METRICS_EDGE_OBSERVER_H_
#define ANYBIT_METRICS_EDGE_OBSERVER_H_

namespace anybit {

// Any thread; must not block.
class EdgeObserver {
 public:
  virtual ~EdgeObserver() = default;

  // A request was not acceptable: malformed, of another model, or asking for what no operating point offers.
  virtual void OnInvalid() {}

  // A request came before the server was ready for it.
  virtual void OnUnavailable() {}
};

}  // namespace anybit

#endif  // ANYBIT_METRICS_EDGE_OBSERVER_H_
