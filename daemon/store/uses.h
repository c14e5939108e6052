#pragma once

#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace berth::store {

/// That some releases of an app are in use, as long as it or a copy of it lives.
using InUse = std::shared_ptr<const void>;

/// Which releases are in use. From any thread; nobody holds its lock over anything that may take time.
class Uses {
 public:
  /// Empty names are passed over.
  InUse add(const std::string& app, const std::vector<std::string>& releases);
  /// Each of them once.
  std::vector<std::string> of(const std::string& app) const;

 private:
  using Entry = std::pair<std::string, std::string>;  ///< app, release
  struct Table {
    std::mutex mutex;
    std::multiset<Entry> entries;
  };
  const std::shared_ptr<Table> table_ = std::make_shared<Table>();  ///< a use may outlive the store
};

}  // namespace berth::store
