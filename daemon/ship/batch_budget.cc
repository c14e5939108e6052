#include "daemon/ship/batch_budget.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace berth::ship {

std::size_t batch_room(std::span<const std::size_t> held, std::size_t who, const BudgetLimits& limits) {
  std::size_t sharing = 0;
  for (std::size_t i = 0; i < held.size(); ++i)
    if (held[i] > 0 || i == who) ++sharing;
  const std::size_t batches = 2 * std::max(sharing, std::min<std::size_t>(2, held.size()));
  const std::size_t taken = std::accumulate(held.begin(), held.end(), std::size_t{0});
  const std::size_t free = limits.total - std::min(taken, limits.total);
  return std::max(limits.least, std::min(limits.total / batches, free));
}

BatchBudget::Part::Part(std::shared_ptr<BatchBudget> budget) : budget_(std::move(budget)) { budget_->parts_.push_back(this); }
BatchBudget::Part::~Part() { std::erase(budget_->parts_, this); }

std::size_t BatchBudget::Part::room(bool eager) const {
  if (!eager) return budget_->limits_.least;
  std::vector<std::size_t> held;
  for (const Part* part : budget_->parts_) held.push_back(part->held());
  const auto self = std::ranges::find(budget_->parts_, this) - budget_->parts_.begin();
  return batch_room(held, static_cast<std::size_t>(self), budget_->limits_);
}

}  // namespace berth::ship
