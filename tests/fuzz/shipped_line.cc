// Lines of an app, under every rule at once, on their way to a sink.

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "core/json/json.h"
#include "core/utf8.h"
#include "daemon/secrets/known_secrets.h"
#include "daemon/ship/sinks/line_rules.h"
#include "daemon/ship/sinks/line_text.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace berth;

std::shared_ptr<const ship::LineRules> rules_of(std::uint8_t flags) {
  auto rules = std::make_shared<ship::LineRules>();
  if ((flags & 1) != 0) rules->begins = logs::Pattern::regex("^[^ ]").value();
  rules->most_joined = 64;
  rules->json = (flags & 2) != 0 ? ship::JsonLines::message : ship::JsonLines::fields;
  rules->strip_ansi = (flags & 4) != 0;
  if ((flags & 8) != 0) rules->limit = {.rate = spec::Rate{.number = 1}, .burst = 2};
  rules->redactor = ship::PatternRedactor::make({"password=([^ ]+)", "[0-9]{16}"}).value();
  return rules;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  ship::LineMaker maker(rules_of(data[0]));
  auto secrets = std::make_shared<berth::secrets::KnownSecrets>();
  secrets->add("a-known-secret");
  maker.know(secrets);
  const auto origin = std::make_shared<const ship::Origin>(ship::Origin{.instance = "web/web.1"});
  const auto start = ship::LineMaker::Clock::time_point{};
  std::vector<ship::Entry> entries;
  std::uint64_t lines = 0;
  for (std::string_view rest = fuzz::text_of(data + 1, size - 1); !rest.empty();) {
    const auto end = rest.find('\n');
    const auto stream = rest.front() == '!' ? logs::Stream::err : logs::Stream::out;
    maker.add({.time = {}, .stream = stream, .text = std::string(rest.substr(0, end)), .sequence = ++lines}, origin, start, entries);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  maker.flush(ship::LineMaker::Clock::time_point::max(), entries);
  fuzz::must(!maker.held_behind(), "something is held back for ever");
  fuzz::must(entries.size() <= lines + maker.dropped() + 1, "more came out than went in");
  for (const ship::Entry& entry : entries) {
    fuzz::must(as_utf8(entry.text) == entry.text, "a text that is not UTF-8");
    fuzz::must(entry.text.find("a-known-secret") == std::string::npos, "a secret got through");
    std::string quoted;
    json::append_quoted(quoted, entry.text);
    const auto read = json::parse(quoted);
    fuzz::must(read && std::string_view(read->as_string()) == entry.text, "JSON does not read what was written");
  }
  return 0;
}
