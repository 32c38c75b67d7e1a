// The last `capacity` values: a new value takes the place of the oldest. Allocates only when it is made.
#ifndef ANYBIT_SCHEDULER_LATENCY_RING_H_
#define ANYBIT_SCHEDULER_LATENCY_RING_H_

#include <cstddef>
#include <utility>
#include <vector>

namespace anybit::scheduler {

template <typename T>
class Ring {
 public:
  // capacity >= 1.
  explicit Ring(size_t capacity) : values_(capacity) {}

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  size_t capacity() const { return values_.size(); }

  // 0 <= i < size(), the oldest first.
  T& operator[](size_t i) { return values_[Place(i)]; }
  const T& operator[](size_t i) const { return values_[Place(i)]; }
  const T& oldest() const { return (*this)[0]; }
  T& newest() { return (*this)[size_ - 1]; }
  const T& newest() const { return (*this)[size_ - 1]; }

  void Push(T value) {
    if (size_ == values_.size()) DropOldest(1);
    values_[Place(size_++)] = std::move(value);
  }
  // count <= size().
  void DropOldest(size_t count) {
    oldest_ = Place(count);
    size_ -= count;
  }
  // count <= size().
  void DropNewest(size_t count) { size_ -= count; }
  void Clear() { size_ = 0; }

  // Drops the values of which `drop` is true; the others keep their order.
  template <typename Predicate>
  void DropIf(Predicate drop) {
    size_t kept = 0;
    for (size_t i = 0; i < size_; ++i) {
      if (!drop((*this)[i])) std::swap((*this)[kept++], (*this)[i]);
    }
    size_ = kept;
  }

 private:
  size_t Place(size_t i) const {
    const size_t place = oldest_ + i;
    return place < values_.size() ? place : place - values_.size();
  }

  std::vector<T> values_;
  size_t oldest_ = 0;
  size_t size_ = 0;
};

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_LATENCY_RING_H_
