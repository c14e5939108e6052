#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace berth::route {

/// The order of the sockets of one SO_REUSEPORT group, as the kernel keeps it: by listen(); when one leaves, the last takes its place.
/// A BPF program picks a socket by its index in this order.
class SocketGroup {
 public:
  using Cookie = std::uint64_t;         ///< SO_COOKIE of a socket
  static constexpr Cookie kStranger = 0;  ///< a socket in the group that is not ours

  SocketGroup() = default;
  explicit SocketGroup(std::vector<Cookie> order) : order_(std::move(order)) {}

  /// A socket begins to listen.
  void join(Cookie socket);
  /// A socket ends listening. One that is not in the group changes nothing.
  void leave(Cookie socket);

  std::optional<std::size_t> index_of(Cookie socket) const;
  /// The index of `socket` where it is the same before and after `leaving` leaves; none where it moves, and for `leaving` itself.
  std::optional<std::size_t> index_that_stays(Cookie socket, Cookie leaving) const;

  const std::vector<Cookie>& order() const { return order_; }
  std::size_t size() const { return order_.size(); }

 private:
  std::vector<Cookie> order_;
};

}  // namespace berth::route
