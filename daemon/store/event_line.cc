#include "daemon/store/event_line.h"

#include <charconv>

#include <fmt/core.h>

#include "core/json/json.h"

namespace berth::store {

namespace {

/// Drops `prefix` from `text`, or says that it is not there.
bool skip(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

/// Drops everything up to and with the next quote. Times, kinds and apps have no escapes.
std::optional<std::string_view> until_quote(std::string_view& text) {
  const std::size_t end = text.find('"');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view found = text.substr(0, end);
  text.remove_prefix(end + 1);
  return found;
}

}  // namespace

std::string to_line(const Event& event, std::string_view previous) {
  // Written by hand in this order, so that `head_of` finds number and app without parsing.
  return fmt::format(R"({{"number":{},"at":{},"kind":{},"app":{},"data":{},"prev":"{}"}})", event.number,
                     json::text(boost::json::string(event.at)), json::text(boost::json::string(event.kind)),
                     json::text(boost::json::string(event.app)), json::text(event.data), previous);
}

Result<EventLine> parse_line(std::string_view line) {
  BERTH_TRY(const json::value parsed, json::parse(line, {}, true));
  json::ObjectReader reader(parsed, "event");
  EventLine found;
  found.event.number = reader.integer("number");
  found.event.at = reader.string("at");
  found.event.kind = reader.string("kind");
  found.event.app = reader.string("app");
  found.event.data = reader.members("data");
  found.previous = reader.string("prev");
  BERTH_CHECK(reader.done());
  return found;
}

LineHead head_of(std::string_view line) {
  LineHead head;
  if (!skip(line, "{\"number\":")) return {};
  const auto [end, failure] = std::from_chars(line.data(), line.data() + line.size(), head.number);
  if (failure != std::errc()) return {};
  line.remove_prefix(static_cast<std::size_t>(end - line.data()));
  if (!skip(line, ",\"at\":\"") || !until_quote(line)) return {};
  if (!skip(line, ",\"kind\":\"") || !until_quote(line)) return {};
  if (!skip(line, ",\"app\":\"")) return {};
  const auto app = until_quote(line);
  if (!app) return {};
  head.app = *app;
  return head;
}

}  // namespace berth::store
