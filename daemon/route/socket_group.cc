#include "daemon/route/socket_group.h"

#include <algorithm>

namespace berth::route {

void SocketGroup::join(Cookie socket) { order_.push_back(socket); }

void SocketGroup::leave(Cookie socket) {
  const auto index = index_of(socket);
  if (!index) return;
  order_[*index] = order_.back();
  order_.pop_back();
}

std::optional<std::size_t> SocketGroup::index_of(Cookie socket) const {
  const auto found = std::ranges::find(order_, socket);
  if (socket == kStranger || found == order_.end()) return std::nullopt;
  return static_cast<std::size_t>(found - order_.begin());
}

std::optional<std::size_t> SocketGroup::index_that_stays(Cookie socket, Cookie leaving) const {
  const auto index = index_of(socket);
  SocketGroup after = *this;
  after.leave(leaving);
  if (!index || after.index_of(socket) != index) return std::nullopt;
  return index;
}

}  // namespace berth::route
