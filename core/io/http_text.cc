#include "core/io/http_text.h"

#include <algorithm>
#include <ctime>

#include <fmt/core.h>

#include "core/io/wire.h"

namespace berth::io {
namespace {

bool is_token(std::string_view text) {
  constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
  const auto allowed = [kOthers](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || kOthers.find(c) != std::string_view::npos;
  };
  return !text.empty() && std::ranges::all_of(text, allowed);
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

/// A time as HTTP writes it; the names are English in every locale.
std::string http_date(std::time_t when) {
  constexpr std::string_view kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::string_view kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::tm time{};
  ::gmtime_r(&when, &time);
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", kDays[time.tm_wday], time.tm_mday, kMonths[time.tm_mon], time.tm_year + 1900,
                     time.tm_hour, time.tm_min, time.tm_sec);
}

std::string one_line(std::string value) {
  std::ranges::replace_if(value, [](char c) { return is_control(c) && c != '\t'; }, ' ');
  return value;
}

/// Whether `word` is in a list with commas, in whichever case.
bool lists(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    const auto comma = std::min(list.find(','), list.size());
    std::string_view one = list.substr(0, comma);
    while (one.starts_with(' ') || one.starts_with('\t')) one.remove_prefix(1);
    while (one.ends_with(' ') || one.ends_with('\t')) one.remove_suffix(1);
    if (lower_case(one) == word) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

/// These say how a reply ends, which is the server's business.
bool is_framing(std::string_view name) { return name == "content-length" || name == "transfer-encoding" || name == "connection"; }

Result<void> check_request(const HttpRequest& request) {
  if (!is_token(request.method)) return fail(Errc::usage, fmt::format("'{}' is no HTTP method", request.method));
  const auto breaks = [](char c) { return is_control(c) || c == ' '; };
  if (request.target.empty() || std::ranges::any_of(request.target, breaks))
    return fail(Errc::usage, fmt::format("'{}' is no target of a request: percent-encode spaces and control characters", one_line(request.target)));
  for (const auto& [name, value] : request.headers) {
    if (!is_token(name)) return fail(Errc::usage, fmt::format("'{}' is no name of a header", one_line(name)));
    if (std::ranges::any_of(value, [](char c) { return is_control(c) && c != '\t'; }))
      return fail(Errc::usage, fmt::format("the header '{}' has a control character in its value", name));
  }
  return {};
}

}  // namespace

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return lower;
}

Result<std::string> request_head(const HttpRequest& request) {
  BERTH_CHECK(check_request(request));
  Headers headers;
  for (const auto& [name, value] : request.headers)
    if (const std::string lower = lower_case(name); !is_framing(lower)) headers[lower] = value;
  headers.emplace("host", request.to.unix_path.empty() ? name_of(request.to) : "localhost");
  headers.emplace("user-agent", "berth/" BERTH_VERSION);
  const bool bodiless = request.method == "GET" || request.method == "HEAD" || request.method == "DELETE" || request.method == "OPTIONS";
  if (!request.body.empty() || !bodiless) headers["content-length"] = std::to_string(request.body.size());
  headers["connection"] = !request.upgrade.empty() ? "Upgrade" : request.keep_alive ? "keep-alive" : "close";
  if (!request.upgrade.empty()) headers["upgrade"] = request.upgrade;
  std::string head = fmt::format("{} {} HTTP/1.1\r\n", request.method, request.target);
  for (const auto& [name, value] : headers) head += fmt::format("{}: {}\r\n", name, value);
  return head + "\r\n";
}

std::string reply_head(const ServerReply& reply, Framing framing, bool keep_alive) {
  std::string head = fmt::format("HTTP/1.1 {} {}\r\ndate: {}\r\n", reply.status, reason_phrase(reply.status), http_date(std::time(nullptr)));
  for (const auto& [name, value] : reply.headers)
    if (is_token(name) && !is_framing(lower_case(name))) head += fmt::format("{}: {}\r\n", name, one_line(value));
  if (framing != Framing::none && !reply.content_type.empty() && !reply.headers.contains("content-type"))
    head += fmt::format("content-type: {}\r\n", one_line(reply.content_type));
  if (framing == Framing::length) head += fmt::format("content-length: {}\r\n", reply.body.size());
  if (framing == Framing::chunked) head += "transfer-encoding: chunked\r\n";
  head += keep_alive ? "connection: keep-alive\r\n\r\n" : "connection: close\r\n\r\n";
  return head;
}

std::string upgrade_head(const ServerReply& reply) {
  std::string head = fmt::format("HTTP/1.1 {} {}\r\ndate: {}\r\n", reply.status, reason_phrase(reply.status), http_date(std::time(nullptr)));
  for (const auto& [name, value] : reply.headers)
    if (is_token(name) && !is_framing(lower_case(name))) head += fmt::format("{}: {}\r\n", name, one_line(value));
  return head + "connection: Upgrade\r\n\r\n";
}

bool wants_upgrade(const ServerRequest& request, std::string_view protocol) {
  const auto connection = request.headers.find("connection"), to = request.headers.find("upgrade");
  return connection != request.headers.end() && to != request.headers.end() && lists(connection->second, "upgrade") && lists(to->second, protocol);
}

ServerReply problem_reply(int status, std::string_view detail) {
  ServerReply reply;
  reply.status = status;
  reply.content_type = "application/problem+json";
  const bool is_busy = status == 503;  // else it is the request that is wrong
  const char* code = is_busy ? "refused" : "usage";
  reply.body = fmt::format(R"({{"type": "about:blank", "title": "{0}", "status": {1}, "detail": "{2}", "code": "{0}", "exit": {3}}})", code, status, detail, is_busy ? 1 : 2);
  return reply;
}

}  // namespace berth::io
