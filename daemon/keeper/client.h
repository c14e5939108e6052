#pragma once

#include <stdint.h>

#include "core/attached.h"

namespace berth::keeper {

/// Who runs a one-off command, and waits for its end at the other end of a connection.
class Client {
 public:
  /// Takes the command's stdin, stdout and stderr, and the connection.
  void take(const int* fds);
  int connection() const { return connection_; }  ///< -1: there is no client, or none any more
  const int* files() const { return files_; }
  /// The command has its files: whoever reads what it writes sees the end of it when it ends.
  void let_go_of_files();

  /// The signal that the client asks for, 0 where there is none, or -1 once it has gone away.
  int hear();
  /// Tells how the command ended, and closes the connection.
  void tell(int exit, const char* message);
  void close_connection();

 private:
  int files_[attached::kFiles] = {-1, -1, -1};
  int connection_ = -1;
};

}  // namespace berth::keeper
