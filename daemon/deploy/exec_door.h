#pragma once

#include <memory>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include <sys/types.h>

#include "core/files/fd.h"
#include "core/io/listen.h"
#include "core/result.h"

namespace berth::deploy {

/// The socket at which the client of one one-off command hands its files over. Its name goes with it.
class ExecDoor {
 public:
  ExecDoor(io::UnixListener listener, uid_t uid) : listener_(std::move(listener)), uid_(uid) {}
  ExecDoor(ExecDoor&& other) noexcept : listener_(std::move(other.listener_)), uid_(other.uid_) { other.listener_.path.clear(); }
  ExecDoor& operator=(ExecDoor&&) = delete;
  ~ExecDoor();

  int socket() const { return listener_.socket.get(); }
  uid_t uid() const { return uid_; }  ///< whom it is for

 private:
  io::UnixListener listener_;
  uid_t uid_;
};

/// Makes it at `path`, for that user and root alone. Blocking.
Result<ExecDoor> open_exec_door(const std::string& path, uid_t uid);

/// What the client of a one-off command handed over.
struct ExecClient {
  Fd connection;
  std::vector<Fd> files;  ///< stdin, stdout, stderr
  bool terminal = false;
};

/// Waits for the client, a few seconds. Whoever else comes is sent away. `Errc::timeout`, or `Errc::protocol` for one that does not speak as it should.
boost::asio::awaitable<Result<ExecClient>> meet_exec_client(std::shared_ptr<ExecDoor> door);

/// Tells the client at the other end of `connection` that its command was not begun, and why.
void tell_exec_end(int connection, int exit, const std::string& message);

}  // namespace berth::deploy
