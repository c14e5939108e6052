#include "daemon/store/state.h"

namespace berth::store {

Result<std::map<std::string, AppRecord>> Store::records(const std::string& app) {
  struct Scale {
    std::string app, process;
    std::pair<int, int> numbers;
  };
  const auto read_scale = [](const Statement& row) {
    return Scale{.app = row.text(0), .process = row.text(1), .numbers = {static_cast<int>(row.integer(2)), static_cast<int>(row.integer(3))}};
  };
  const std::lock_guard guard(state_->mutex);
  std::map<std::string, AppRecord> records;
  BERTH_TRY(auto rejected, state_->rejected(app));
  for (auto& [of, one] : rejected) records[of].rejected.push_back(std::move(one));
  BERTH_TRY(auto slots, state_->slots(app));
  for (auto& slot : slots) records[slot.app].slots.push_back(std::move(slot));
  BERTH_TRY(auto copies, state_->data_copies(app));
  for (auto& copy : copies) records[copy.app].copies.push_back(std::move(copy));
  BERTH_TRY(const auto scales, state_->database.rows("SELECT app, process, number, spec_number FROM scales " + of_app(app), read_scale, app));
  for (const auto& scale : scales) records[scale.app].scales.emplace(scale.process, scale.numbers);
  BERTH_TRY(auto ended, state_->last_ended(app));
  for (auto& row : ended) records[row.app].last = std::move(row);
  return records;
}

}  // namespace berth::store
