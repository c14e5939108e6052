#pragma once

#include <mutex>
#include <string>

#include "core/result.h"
#include "daemon/route/port_table.h"

namespace berth::route {

/// The table `inet berth` in the kernel, by libnftables, one call at a time. Blocking: for pool threads. Errors tell what nftables said.
class Nftables {
 public:
  /// Whether this kernel routes so at all, without changing anything.
  Result<void> check();
  /// Brings the table there in one transaction.
  Result<void> write(const PortTable& table);
  /// What it says now; an empty one where there is none.
  Result<PortTable> read();
  /// The table as nftables prints it, empty where there is none: tells whether somebody changed it.
  Result<std::string> print();

 private:
  Result<std::string> run(const std::string& commands, bool json = false, bool only_check = false);

  std::mutex mutex_;
};

}  // namespace berth::route
