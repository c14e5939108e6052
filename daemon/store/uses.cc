#include "daemon/store/uses.h"

namespace berth::store {

InUse Uses::add(const std::string& app, const std::vector<std::string>& releases) {
  auto mine = std::make_unique<std::vector<Entry>>();
  for (const std::string& release : releases)
    if (!release.empty()) mine->emplace_back(app, release);
  {
    const std::lock_guard guard(table_->mutex);
    table_->entries.insert(mine->begin(), mine->end());
  }
  const auto end = [table = table_](const std::vector<Entry>* entries) {
    const std::unique_ptr<const std::vector<Entry>> owned(entries);
    const std::lock_guard guard(table->mutex);
    for (const Entry& entry : *entries) table->entries.erase(table->entries.find(entry));
  };
  return std::shared_ptr<const std::vector<Entry>>(mine.release(), end);
}

std::vector<std::string> Uses::of(const std::string& app) const {
  const std::lock_guard guard(table_->mutex);
  std::vector<std::string> releases;
  for (auto entry = table_->entries.lower_bound({app, {}}); entry != table_->entries.end() && entry->first == app; entry = table_->entries.upper_bound(*entry))
    releases.push_back(entry->second);
  return releases;
}

}  // namespace berth::store
