#include "core/io/download.h"

#include <algorithm>
#include <charconv>

#include <fmt/core.h>

#include "core/io/http_text.h"

namespace berth::io {
namespace {

constexpr std::size_t kLongestEtag = 256;  ///< it is sent back as it came

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::string> header(const Headers& headers, const std::string& name) {
  const auto found = headers.find(name);
  return found == headers.end() ? std::nullopt : std::optional(found->second);
}

std::optional<std::uint64_t> content_length(const Headers& headers) {
  const auto length = header(headers, "content-length");
  return length ? number(*length) : std::nullopt;
}

}  // namespace

std::optional<ContentRange> parse_content_range(std::string_view text) {
  if (lower_case(text.substr(0, 6)) != "bytes ") return std::nullopt;
  text.remove_prefix(6);
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto range = text.substr(0, slash);
  const auto whole = text.substr(slash + 1);
  ContentRange result;
  if (whole != "*") {
    result.whole = number(whole);
    if (!result.whole) return std::nullopt;
  }
  if (range == "*") return result.whole ? std::optional(result) : std::nullopt;
  const auto dash = range.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  result.first = number(range.substr(0, dash));
  result.last = number(range.substr(dash + 1));
  if (!result.first || !result.last || *result.first > *result.last || (result.whole && *result.last >= *result.whole)) return std::nullopt;
  return result;
}

Result<void> Download::begin(int status, const Headers& headers) {
  etag_ = header(headers, "etag").value_or("");
  if (etag_.size() > kLongestEtag) etag_.clear();
  switch (status) {
    case 200: return begin_whole(headers);
    case 206: return begin_part(headers);
    case 301:
    case 302:
    case 303:
    case 307:
    case 308:
      elsewhere_ = header(headers, "location");
      if (elsewhere_) return {};
      return fail(Errc::protocol, fmt::format("{} {} without saying where to", status, reason_phrase(status)));
    case 304:
      unchanged_ = conditional_;
      if (unchanged_) return {};
      return fail(Errc::unreachable, "304 Not Modified, and it was asked for in any case");
    case 403:
    case 404: return fail(Errc::not_found, fmt::format("{} {}", status, reason_phrase(status)));
    case 416: return judge_range_refused(headers);
    default: return fail(Errc::unreachable, fmt::format("{} {}", status, reason_phrase(status)));
  }
}

Result<void> Download::begin_whole(const Headers& headers) {
  if (const auto coding = header(headers, "content-encoding"); coding && lower_case(*coding) != "identity")
    return fail(Errc::protocol, fmt::format("it is encoded ({}), which was not asked for", *coding));
  const auto length = content_length(headers);
  if (length && *length > from_ && *length - from_ > most_)
    return fail(Errc::protocol, fmt::format("it is {} bytes long, and {} are allowed", *length, from_ + most_));
  to_skip_ = from_;
  wants_body_ = true;
  return {};
}

Result<void> Download::begin_part(const Headers& headers) {
  if (from_ == 0) return fail(Errc::protocol, "a part came, and the whole was asked for");
  const auto text = header(headers, "content-range");
  const auto range = text ? parse_content_range(*text) : std::nullopt;
  if (!range || !range->first) return fail(Errc::protocol, fmt::format("a part without a proper Content-Range ('{}')", text.value_or("")));
  if (*range->first != from_) return fail(Errc::protocol, fmt::format("the part begins at {}, and {} was asked for", *range->first, from_));
  expected_ = *range->last - *range->first + 1;
  if (content_length(headers).value_or(*expected_) != *expected_) return fail(Errc::protocol, "the part is not as long as its Content-Range says");
  if (*expected_ > most_) return fail(Errc::protocol, fmt::format("{} more bytes would come, and {} are allowed", *expected_, most_));
  is_last_part_ = !range->whole || *range->last + 1 == *range->whole;
  wants_body_ = true;
  return {};
}

/// "There is nothing from there on": right where everything is here already.
Result<void> Download::judge_range_refused(const Headers& headers) const {
  const auto text = header(headers, "content-range");
  const auto range = text ? parse_content_range(*text) : std::nullopt;
  if (range && range->whole == from_) return {};
  if (range && range->whole && *range->whole < from_)
    return fail(Errc::protocol, fmt::format("it is {} bytes long, and {} are here already", *range->whole, from_));
  return fail(Errc::unreachable, fmt::format("it does not give the bytes from {} on (416)", from_));
}

Result<void> Download::take(std::string_view piece) {
  const auto skipped = std::min<std::uint64_t>(to_skip_, piece.size());
  to_skip_ -= skipped;
  piece.remove_prefix(skipped);
  if (piece.empty()) return {};
  if (piece.size() > most_ - got_) return fail(Errc::protocol, fmt::format("it is longer than the {} bytes allowed", most_));
  if (expected_ && piece.size() > *expected_ - got_) return fail(Errc::protocol, "the part is longer than its Content-Range says");
  got_ += piece.size();
  return sink_(piece);
}

Result<void> Download::end() const {
  if (!wants_body_) return {};
  if (to_skip_ > 0) return fail(Errc::protocol, fmt::format("it is {} bytes long, and {} are here already", from_ - to_skip_, from_));
  if (expected_ && got_ < *expected_) return fail(Errc::unreachable, "the part was cut short");
  if (!is_last_part_) return fail(Errc::unreachable, fmt::format("only {} of the bytes from {} on came; ask again for the rest", got_, from_));
  return {};
}

}  // namespace berth::io
