#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/awaitable.hpp>

#include "core/io/wire.h"
#include "core/result.h"

namespace berth::io {

/// TLS 1.2 over a Wire, whoever the peer says it is: for probes, which ask a port of this very node and tell nothing, as the kubelet's do. Used as a Wire
/// is; it never guards anything.
class UnverifiedTls {
 public:
  /// Agrees with the peer. `Errc::protocol`, saying why, where that fails; `Errc::timeout` at `deadline`.
  static boost::asio::awaitable<Result<UnverifiedTls>> agree(Wire wire, Steady::time_point deadline);
  ~UnverifiedTls();
  UnverifiedTls(UnverifiedTls&&) noexcept;

  boost::asio::awaitable<Result<std::size_t>> read(std::string* into, Steady::time_point deadline);
  boost::asio::awaitable<Result<void>> write(std::string_view bytes, milliseconds stall, Steady::time_point deadline);

 private:
  struct State;
  explicit UnverifiedTls(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace berth::io
