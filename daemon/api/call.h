#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/io/http.h"
#include "core/json/json.h"
#include "core/logs/record_time.h"
#include "core/result.h"
#include "daemon/api/api.h"

namespace berth::api {

/// One request on its way through a handler.
struct Call {
  deploy::Operations& operations;
  Node& node;
  io::ServerRequest request;
  std::map<std::string, std::string> parameters;  ///< of the path; names and numbers were checked
  Caller caller;                                  ///< who asks
  std::string by = caller.name;

  const std::string& app() const { return parameters.at("app"); }
  std::int64_t id() const;
  /// Who asks, and why, for the history.
  deploy::Asked asked(std::string why) const { return {.by = by, .why = std::move(why), .pid = request.peer.pid}; }
};

/// The body of a request as an object; an empty one is `{}`. Fails with `Errc::usage`.
Result<json::value> body_of(const io::ServerRequest& request);

/// Reads the members of a body, complaining with `Errc::usage`.
json::ObjectReader read_body(const json::value& body);

/// The optional member or parameter `reason`, bounded. Complaints go to the reader.
std::string reason_of(json::ObjectReader& reader);

/// A body of nothing but a reason: who asks, and why.
Result<deploy::Asked> read_reason(const Call& call);

/// Reads a request's query, strictly: what nobody asked for is refused by `done`, with the first complaint.
class QueryReader {
 public:
  explicit QueryReader(const io::ServerRequest& request) : query_(request.query) {}

  std::string text(std::string_view name, std::string otherwise = {});
  std::int64_t integer(std::string_view name, std::int64_t otherwise, std::int64_t lowest, std::int64_t highest);
  bool boolean(std::string_view name, bool otherwise);
  /// `wait=60s`, or `wait=60`, which are seconds; a minute at most: whoever wants longer asks again.
  std::chrono::milliseconds wait();
  /// How long ago, a moment in RFC 3339 or a day, as `logs::parse_moment` reads it; or nothing.
  std::optional<logs::Time> moment(std::string_view name, logs::Time now);
  /// An app's name, or nothing.
  std::string app();
  std::string reason();

  void complain(std::string what);
  Result<void> done();

 private:
  const std::map<std::string, std::string>& query_;
  std::vector<std::string> taken_;
  std::string complaint_;
};

/// The `Idempotency-Key` header, or nothing: 1 to 255 visible ASCII characters.
Result<std::string> idempotency_key(const io::ServerRequest& request);

using WriteBody = std::function<json::object()>;

/// 200 with a body that may be long. It is made off the loop, where what `body` refers to goes, too: that has to be its own.
awaitable<io::ServerReply> reply_aside(const Call& call, WriteBody body);

/// What is wrong with a parameter of the path, or nothing: `{app}` is a name, `{id}` a number from 1.
std::optional<std::string> parameter_complaint(std::string_view name, std::string_view value);

}  // namespace berth::api
