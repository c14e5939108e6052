#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "core/result.h"

namespace berth::io {

/// One unary gRPC call over HTTP/2 without TLS, as bytes in and out: whoever has the connection carries them.
class GrpcCall {
 public:
  /// `authority`: host and port; `path`: "/package.Service/Method"; `message` has gRPC's five bytes in front.
  GrpcCall(std::string authority, std::string path, std::string message, std::chrono::milliseconds timeout);
  ~GrpcCall();
  GrpcCall(const GrpcCall&) = delete;
  GrpcCall& operator=(const GrpcCall&) = delete;

  /// What is to be sent now; empty when there is nothing.
  Result<std::string> to_send();
  /// What came. `Errc::protocol` where that is no HTTP/2, or more than an answer may have (64 KiB, and 16 KiB of headers).
  Result<void> take(std::string_view bytes);
  /// The call has ended, well or not.
  bool done() const;

  struct Answer {
    int status = 0;       ///< of gRPC; 0: well
    std::string message;  ///< what the server says of a status that is not 0; one line, at most 200 bytes
    std::string body;     ///< with gRPC's five bytes in front
  };
  /// Once it is done. `Errc::protocol` where the peer answered by HTTP, but not by gRPC.
  Result<Answer> answer() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace berth::io
