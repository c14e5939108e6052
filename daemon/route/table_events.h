#pragma once

#include "core/files/fd.h"
#include "core/result.h"

namespace berth::route {

/// The kernel's news of nftables, as far as they are about the table `inet berth`.
class TableEvents {
 public:
  /// Fails where the kernel has no nftables.
  static Result<TableEvents> subscribe();

  int fd() const { return netlink_.get(); }
  /// Takes what there is, without waiting. True when something of the table may have changed.
  Result<bool> take();

 private:
  explicit TableEvents(Fd netlink) : netlink_(std::move(netlink)) {}

  Fd netlink_;
};

}  // namespace berth::route
