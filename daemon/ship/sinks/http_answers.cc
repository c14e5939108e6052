#include "daemon/ship/sinks/http_answers.h"

#include <algorithm>
#include <charconv>
#include <iterator>

#include <fmt/core.h>

#include "core/io/http_text.h"
#include "core/json/json.h"
#include "core/utf8.h"
#include "daemon/ship/sinks/line_text.h"

namespace berth::ship {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLongestRetryAfter = std::chrono::hours(1);
constexpr std::size_t kLongestReason = 200;  ///< bytes of what a server says

std::string one_line_of(std::string_view text) {
  std::string line = as_utf8(text.substr(0, 4 * kLongestReason));
  std::ranges::replace_if(line, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; }, ' ');
  while (line.ends_with(' ')) line.pop_back();
  return std::string(cut_text(line, kLongestReason));
}

/// The text member of an object of JSON.
std::string member_text(const json::value& object, std::string_view name) {
  const auto* members = object.if_object();
  const auto* member = members == nullptr ? nullptr : members->if_contains(name);
  const auto* text = member == nullptr ? nullptr : member->if_string();
  return text == nullptr ? std::string() : std::string(*text);
}

/// What the server says of an error: the message of a JSON status, or the page as it is.
std::string said_by(const io::HttpAnswer& answer) {
  if (const auto parsed = json::parse(answer.body, {.most_bytes = 64u << 10, .most_depth = 16}, true)) {
    if (const std::string message = member_text(*parsed, "message"); !message.empty()) return one_line_of(message);
  }
  return one_line_of(answer.body);
}

std::string reason_of(const io::HttpAnswer& answer) {
  const std::string said = said_by(answer);
  const std::string status = fmt::format("it answers {} {}", answer.status, io::reason_phrase(answer.status));
  return said.empty() ? status : status + ": " + said;
}

std::optional<int> number_in(std::string_view digits) {
  int number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size() || number < 0) return {};
  return number;
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`: the form that may be sent (RFC 9110, 5.6.7).
std::optional<logs::Time> parse_http_date(std::string_view text) {
  constexpr std::string_view kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  if (text.size() != 29 || text.substr(3, 2) != ", " || !text.ends_with(" GMT") || text[7] != ' ' || text[11] != ' ' || text[16] != ' ') return {};
  const auto* month = std::ranges::find(kMonths, text.substr(8, 3));
  if (month == std::end(kMonths)) return {};
  return logs::parse_rfc3339(fmt::format("{}-{:02}-{}T{}Z", text.substr(12, 4), month - std::begin(kMonths) + 1, text.substr(5, 2), text.substr(17, 8)));
}

/// An integer of 64 bits, as JSON of Protobuf has it: a string or a number.
std::uint64_t count_in(const json::value* said) {
  if (said == nullptr) return 0;
  if (const auto* number = said->if_int64()) return *number < 0 ? 0 : static_cast<std::uint64_t>(*number);
  const auto* text = said->if_string();
  if (text == nullptr) return 0;
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  return error == std::errc() && end == text->data() + text->size() ? number : 0;
}

}  // namespace

std::optional<milliseconds> parse_retry_after(std::string_view text, logs::Time now) {
  if (text.empty()) return {};
  const bool is_number = std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
  if (is_number) {
    const auto seconds = number_in(text);
    return seconds ? std::min<milliseconds>(std::chrono::seconds(*seconds), kLongestRetryAfter) : kLongestRetryAfter;
  }
  const auto date = parse_http_date(text);
  if (!date) return {};
  return std::clamp(std::chrono::ceil<milliseconds>(*date - now), milliseconds(0), kLongestRetryAfter);
}

Verdict judge_status(const io::HttpAnswer& answer, logs::Time now) {
  if (answer.status >= 200 && answer.status <= 299) return {};
  Verdict verdict{.kind = Verdict::Kind::later, .reason = reason_of(answer)};
  switch (answer.status) {
    case 400:
    case 413:
    case 422: verdict.kind = Verdict::Kind::refused; break;
    case 401:
    case 403:
    case 407: verdict.is_denied = true; break;
    default: break;
  }
  const auto header = answer.headers.find("retry-after");
  if (verdict.kind == Verdict::Kind::later && header != answer.headers.end())
    verdict.wait = parse_retry_after(header->second, now).value_or(milliseconds(0));
  return verdict;
}

Verdict judge_export(const io::HttpAnswer& answer, std::size_t entries, logs::Time now) {
  Verdict verdict = judge_status(answer, now);
  if (verdict.kind != Verdict::Kind::taken) return verdict;
  const auto parsed = json::parse(answer.body, {.most_bytes = 64u << 10, .most_depth = 16}, true);
  if (!parsed || !parsed->is_object()) return verdict;
  const json::value* partial = parsed->as_object().if_contains("partialSuccess");
  if (partial == nullptr || !partial->is_object()) return verdict;
  verdict.refused = static_cast<std::size_t>(std::min<std::uint64_t>(count_in(partial->as_object().if_contains("rejectedLogRecords")), entries));
  // Without a count it is a warning (OTLP 1.x, "Partial Success"), and everything was taken.
  if (verdict.refused > 0) verdict.reason = fmt::format("it rejects {} of {}: {}", verdict.refused, entries, one_line_of(member_text(*partial, "errorMessage")));
  return verdict;
}

}  // namespace berth::ship
