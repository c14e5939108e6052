#include "daemon/api/call.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/core.h>

#include "core/ids.h"
#include "core/spec/app_spec.h"

namespace berth::api {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kMostBody = 64u << 10;
constexpr std::size_t kMostDepth = 4;
constexpr std::size_t kLongestReason = 1000;
constexpr std::size_t kLongestKey = 255;
constexpr std::chrono::seconds kLongestWait{60};
constexpr std::chrono::seconds kLongestSaid{86400};

std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

/// Of what would move a terminal's cursor, or break a line of a log.
bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

/// What is wrong with the reason that somebody gives; empty: nothing.
std::string complaint_of(const std::string& reason) {
  if (reason.size() > kLongestReason) return fmt::format("reason has more than {} bytes", kLongestReason);
  if (std::ranges::any_of(reason, is_control)) return "reason is more than a line of text: it has a line break, a tab or another control character";
  return {};
}

}  // namespace

std::int64_t Call::id() const { return number(parameters.at("id")).value_or(0); }

Result<json::value> body_of(const io::ServerRequest& request) {
  if (request.body.empty()) return json::value(json::object());
  auto body = json::parse(request.body, {.most_bytes = kMostBody, .most_depth = kMostDepth});
  if (!body) return fail(Errc::usage, "the request's body: " + body.error().message);
  return body;
}

json::ObjectReader read_body(const json::value& body) { return json::ObjectReader(body, "the request's body", Errc::usage); }

std::string reason_of(json::ObjectReader& reader) {
  std::string reason = reader.string_or("reason", "");
  if (auto complaint = complaint_of(reason); !complaint.empty()) reader.complain(std::move(complaint));
  return reason;
}

Result<deploy::Asked> read_reason(const Call& call) {
  BERTH_TRY(const auto body, body_of(call.request));
  auto reader = read_body(body);
  deploy::Asked asked = call.asked(reason_of(reader));
  BERTH_CHECK(reader.done());
  return asked;
}

std::string QueryReader::text(std::string_view name, std::string otherwise) {
  taken_.emplace_back(name);
  const auto found = query_.find(std::string(name));
  return found == query_.end() ? otherwise : found->second;
}

std::int64_t QueryReader::integer(std::string_view name, std::int64_t otherwise, std::int64_t lowest, std::int64_t highest) {
  if (!query_.contains(std::string(name))) {
    taken_.emplace_back(name);
    return otherwise;
  }
  const auto value = number(text(name));
  if (value && *value >= lowest && *value <= highest) return *value;
  complain(fmt::format("{} is not a whole number from {} to {}", name, lowest, highest));
  return otherwise;
}

std::optional<logs::Time> QueryReader::moment(std::string_view name, logs::Time now) {
  const std::string said = text(name);
  if (said.empty()) return {};
  auto moment = logs::parse_moment(said, now);
  if (!moment) complain(fmt::format("{}: {}", name, moment.error().message));
  return moment ? std::optional(*moment) : std::nullopt;
}

bool QueryReader::boolean(std::string_view name, bool otherwise) {
  const std::string value = text(name, otherwise ? "true" : "false");
  if (value != "true" && value != "false") complain(fmt::format("{} is neither 'true' nor 'false'", name));
  return value == "true";
}

std::chrono::milliseconds QueryReader::wait() {
  const std::string said = text("wait", "0");
  const auto seconds = number(said);
  if (seconds && *seconds >= 0 && *seconds <= kLongestSaid.count()) return std::min(std::chrono::seconds(*seconds), kLongestWait);
  const auto duration = spec::parse_duration(said);
  if (seconds || !duration) complain("wait takes a duration, such as 500ms, 30s or 1m, or a whole number of seconds, up to a day");
  return duration ? std::min(*duration, milliseconds(kLongestWait)) : milliseconds(0);
}

std::string QueryReader::app() {
  std::string name = text("app");
  if (!name.empty() && !is_name(name)) complain(*parameter_complaint("app", name));
  return name;
}

std::string QueryReader::reason() {
  std::string value = text("reason");
  if (auto complaint = complaint_of(value); !complaint.empty()) complain(std::move(complaint));
  return value;
}

void QueryReader::complain(std::string what) {
  if (complaint_.empty()) complaint_ = std::move(what);
}

Result<void> QueryReader::done() {
  for (const auto& [name, value] : query_)
    if (std::ranges::find(taken_, name) == taken_.end()) complain(fmt::format("parameter '{}' is unknown", name));
  if (!complaint_.empty()) return fail(Errc::usage, "the request's query: " + complaint_);
  return {};
}

Result<std::string> idempotency_key(const io::ServerRequest& request) {
  const auto found = request.headers.find("idempotency-key");
  if (found == request.headers.end()) return std::string();
  const std::string& key = found->second;
  const bool visible = std::ranges::all_of(key, [](char c) { return c > ' ' && c < '\x7f'; });
  if (key.empty() || key.size() > kLongestKey || !visible)
    return fail(Errc::usage, fmt::format("the header Idempotency-Key takes 1 to {} visible ASCII characters", kLongestKey));
  return key;
}

awaitable<io::ServerReply> reply_aside(const Call& call, WriteBody body) {
  std::function<std::string()> write = [body = std::move(body)]() mutable {
    const WriteBody made = std::move(body);
    return json::text(made()) + "\n";
  };
  io::ServerReply answer;
  answer.body = co_await call.node.write_aside(std::move(write));
  co_return answer;
}

std::optional<std::string> parameter_complaint(std::string_view name, std::string_view value) {
  if (name == "app" && !is_name(value))
    return fmt::format("'{}' is no name of an app: a small letter, then small letters, digits and '-', 31 at most", value.substr(0, 64));
  if (name == "process" && !is_name(value)) return fmt::format("'{}' is no name of a process", value.substr(0, 64));
  if (name == "webhook" && !is_name(value)) return fmt::format("'{}' is no name of a webhook", value.substr(0, 64));
  if (name == "id" && number(value).value_or(0) < 1) return fmt::format("'{}' is no number of a deployment", value.substr(0, 64));
  return {};
}

}  // namespace berth::api
