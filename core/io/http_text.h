#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "core/io/http.h"
#include "core/result.h"

namespace berth::io {

/// The bytes that percent-encoded `text` means, or nothing where an escape is malformed.
std::optional<std::string> percent_decode(std::string_view text);

/// A request's target, taken apart.
struct Target {
  std::string host;                          ///< only of "http://host/path" and "https://host/path"
  std::string path;                          ///< decoded
  std::map<std::string, std::string> query;  ///< decoded
};

/// Fails with `Errc::protocol` where the target is not a path, an escape is malformed, a segment is `.` or `..`, a control character or a slash in hex is in the
/// path, or a key of the query stands there twice.
Result<Target> parse_target(std::string_view target);

/// Whether it can be a `Host`: a name or a numeric address and perhaps a port, or nothing (RFC 9110, 7.2).
bool is_host(std::string_view text);

/// The head of a request, ready to be sent. `Errc::usage` where a method, target or header would break out of its line.
Result<std::string> request_head(const HttpRequest& request);

/// How a reply's body is told from what follows it.
enum class Framing { none, length, chunked, until_close };

/// The head of a reply, ready to be sent. Control characters of a header's value become spaces.
std::string reply_head(const ServerReply& reply, Framing framing, bool keep_alive);

/// The head of a reply that upgrades its connection, ready to be sent.
std::string upgrade_head(const ServerReply& reply);

/// A problem document (RFC 9457) for a request that never reached the handler. `detail` is plain text of berth's own.
ServerReply problem_reply(int status, std::string_view detail);

/// "Not Found".
std::string_view reason_phrase(int status);

std::string lower_case(std::string_view text);

}  // namespace berth::io
