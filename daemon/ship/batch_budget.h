#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace berth::ship {

/// How much memory the batches of all sinks may take together.
struct BudgetLimits {
  std::size_t total = 6u << 20;
  std::size_t least = 128u << 10;  ///< of a batch: so much one may have though others have spent it all
};

/// How large the next batch of sink `who` may be, in bytes of memory, where the sinks hold so many each: those that are under way and the ones after them. A sink that is alone may have half of all for each of
/// its two. Of several, those that hold something share with the one that asks; where there is more than one, none gets more than if two did, so that there is something left for the next that comes.
std::size_t batch_room(std::span<const std::size_t> held, std::size_t who, const BudgetLimits& limits);

/// What the batches of all sinks take. For one event loop.
class BatchBudget {
 public:
  explicit BatchBudget(BudgetLimits limits = {}) : limits_(limits) {}

  /// One sink's part of it; what it holds is free again when it goes.
  class Part {
   public:
    explicit Part(std::shared_ptr<BatchBudget> budget);
    ~Part();
    Part(const Part&) = delete;
    Part& operator=(const Part&) = delete;

    /// `batch_room` of this one. `eager` is not a sink of which it is not known that it takes anything: it gets the least.
    std::size_t room(bool eager) const;
    /// So much it holds from now on.
    void hold(std::size_t bytes) { held_ = bytes; }
    std::size_t held() const { return held_; }

   private:
    std::shared_ptr<BatchBudget> budget_;
    std::size_t held_ = 0;
  };

 private:
  BudgetLimits limits_;
  std::vector<Part*> parts_;
};

}  // namespace berth::ship
