#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/io/http.h"
#include "core/result.h"

namespace berth::io {

/// Why a message cannot be read on: the status a server answers with, and what is wrong, in plain text.
struct Flaw {
  int status = 0;    ///< 0: none
  std::string what;
  explicit operator bool() const { return status != 0; }
};

struct ReaderLimits {
  std::size_t most_header = 64u << 10;
  std::uint64_t most_body = static_cast<std::uint64_t>(-1);
};

/// Reads one request from bytes as they come. Stricter than the parser below it: one length, no length beside chunks, no other coding.
class RequestReader {
 public:
  explicit RequestReader(ReaderLimits limits);
  ~RequestReader();

  /// Takes from the front of `buffer` what it can; the rest stays, for more to come or as the next request.
  Flaw take(std::string& buffer);
  bool head_done() const;
  bool done() const;

  bool keep_alive() const;
  bool is_http_1_0() const;
  bool expects_continue() const;  ///< waits for "100 Continue" before it sends the body

  std::string method;
  std::string target;
  Headers headers;  ///< of the same name: joined by ", "
  std::string body;

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
};

/// Takes a piece of a body; failing ends the reading.
using BodySink = std::function<Result<void>(std::string_view)>;

/// Reads one answer from bytes as they come; interim ones (1xx) are passed over.
class ResponseReader {
 public:
  /// `to_head`: the answer to a HEAD request has no body. `sink` may ask for status and headers.
  ResponseReader(ReaderLimits limits, bool to_head, BodySink sink);
  ~ResponseReader();

  /// `Errc::protocol` for what is not HTTP, or the error of the sink.
  Result<void> take(std::string& buffer);
  /// The peer closed. Fails where that cut the answer short.
  Result<void> end();
  bool head_done() const;
  bool done() const;

  int status = 0;
  Headers headers;

 private:
  struct Parser;
  void begin();

  ReaderLimits limits_;
  bool to_head_;
  BodySink sink_;
  int interim_ = 0;
  std::unique_ptr<Parser> parser_;
};

}  // namespace berth::io
