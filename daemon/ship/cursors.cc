#include "daemon/ship/cursors.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/crypto/sha256.h"
#include "core/files/files.h"
#include "core/ids.h"

namespace berth::ship {
namespace {

constexpr std::string_view kFirstLine = "berth-cursors 1\n";
constexpr const char* kEnding = ".cursors";
constexpr std::size_t kMostCursorBytes = 16u << 20;  ///< a hundred thousand instances

/// Takes what comes before the next `end` off `text`; all of it where there is none.
std::string_view take_until(std::string_view& text, char end) {
  const auto found = text.find(end);
  const std::string_view taken = text.substr(0, found);
  text.remove_prefix(found == std::string_view::npos ? text.size() : found + 1);
  return taken;
}

template <class Number>
bool take_number(std::string_view& text, Number& into) {
  const std::string_view word = take_until(text, ' ');
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), into);
  return error == std::errc() && !word.empty() && end == word.data() + word.size();
}

/// The name of an instance as `to_string` writes it, without a release.
bool is_instance_name(std::string_view name) {
  const auto selector = parse_selector(name);
  return selector && selector->process && selector->number && !selector->release;
}

/// `apps *`, or their names.
Result<std::vector<std::string>> parse_apps(std::string_view line) {
  std::vector<std::string> apps;
  if (line == "apps *") return apps;
  if (take_until(line, ' ') != "apps" || line.empty() || line.ends_with(' ')) return fail(Errc::protocol, "it does not say whose lines were wanted");
  while (!line.empty()) {
    const std::string& app = apps.emplace_back(take_until(line, ' '));
    if (!is_name(app)) return fail(Errc::protocol, "it names something that is no app");
  }
  return apps;
}

Result<Cursor> parse_cursor(std::string_view rest) {
  Cursor cursor;
  std::int64_t time = 0;
  const bool whole = take_number(rest, cursor.place.segment) && take_number(rest, cursor.place.offset) && take_number(rest, cursor.place.sequence) &&
                     take_number(rest, cursor.place.mark) && take_number(rest, cursor.line) && take_number(rest, time);
  const bool has_told = whole && !rest.empty();
  const bool is_right = !has_told || (take_number(rest, cursor.told.first) && take_number(rest, cursor.told.last) && rest.empty() && cursor.told.first > 0 &&
                                      cursor.told.first <= cursor.told.last);
  if (!whole || !is_right) return fail(Errc::protocol, "a line is not of six numbers, or eight");
  cursor.time = logs::Time(std::chrono::nanoseconds(time));
  return cursor;
}

}  // namespace

std::uint64_t ToldLoss::of(std::uint64_t from, std::uint64_t to) const {
  const std::uint64_t begin = std::max(first, from), end = std::min(last, to);
  return last == 0 || begin > end ? 0 : end - begin + 1;
}

void ToldLoss::add(std::uint64_t from, std::uint64_t to) {
  if (from > to) return;
  const bool touches = last > 0 && from <= last + 1 && to + 1 >= first;
  first = touches ? std::min(first, from) : from;
  last = touches ? std::max(last, to) : to;
}

std::string to_text(const Cursors& cursors) {
  fmt::memory_buffer text;
  fmt::format_to(std::back_inserter(text), "{}event {}\nrules {}\napps {}\n", kFirstLine, cursors.event, cursors.rules,
                 cursors.apps.empty() ? "*" : fmt::to_string(fmt::join(cursors.apps, " ")));
  for (const auto& [instance, cursor] : cursors.instances) {
    fmt::format_to(std::back_inserter(text), "{} {} {} {} {} {} {}", instance, cursor.place.segment, cursor.place.offset, cursor.place.sequence, cursor.place.mark, cursor.line,
                   cursor.time.time_since_epoch().count());
    if (cursor.told.last > 0) fmt::format_to(std::back_inserter(text), " {} {}", cursor.told.first, cursor.told.last);
    text.push_back('\n');
  }
  const std::string sum = crypto::sha256_hex({text.data(), text.size()});
  fmt::format_to(std::back_inserter(text), "sha256 {}\n", sum);
  return fmt::to_string(text);
}

Result<Cursors> parse_cursors(std::string_view text) {
  const auto end = text.rfind("sha256 ");
  if (end == std::string_view::npos || text.substr(end) != fmt::format("sha256 {}\n", crypto::sha256_hex(text.substr(0, end))))
    return fail(Errc::protocol, "its checksum is wrong");
  text = text.substr(0, end);
  if (!text.starts_with(kFirstLine)) return fail(Errc::protocol, "it is of a format that this berthd does not know");
  text.remove_prefix(kFirstLine.size());
  Cursors cursors;
  std::string_view event = take_until(text, '\n');
  if (take_until(event, ' ') != "event" || !take_number(event, cursors.event) || !event.empty() || cursors.event < 0)
    return fail(Errc::protocol, "it does not say which event was the last");
  std::string_view rules = take_until(text, '\n');
  if (take_until(rules, ' ') != "rules" || !take_number(rules, cursors.rules) || !rules.empty())
    return fail(Errc::protocol, "it does not say by which rules lines were read");
  BERTH_TRY(cursors.apps, parse_apps(take_until(text, '\n')));
  while (!text.empty()) {
    std::string_view line = take_until(text, '\n');
    const std::string name(take_until(line, ' '));
    if (!is_instance_name(name)) return fail(Errc::protocol, "it names something that is no instance");
    BERTH_TRY(const Cursor cursor, parse_cursor(line));
    if (!cursors.instances.emplace(name, cursor).second) return fail(Errc::protocol, "it names an instance twice");
  }
  return cursors;
}

Result<void> take_back(const std::filesystem::path& state, std::int64_t last_event) {
  for (const char* name : {kSinkCursors, kWebhookCursors}) {
    const std::filesystem::path folder = state / name;
    std::error_code error;
    for (std::filesystem::directory_iterator entry(folder, error); !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
      const std::filesystem::path& path = entry->path();
      if (path.extension() != kEnding || path.filename().native().starts_with('.')) continue;
      const CursorFile file(folder, path.stem().native());
      auto cursors = file.load();
      if (!cursors && cursors.error().code != Errc::protocol) return pass(std::move(cursors.error()));
      if (!cursors || !cursors->has_value() || (*cursors)->event <= last_event) continue;
      (*cursors)->event = last_event;
      BERTH_CHECK(file.store(**cursors));
    }
    if (error && error != std::errc::no_such_file_or_directory) return fail_errno("read " + folder.string(), error.value());
  }
  return {};
}

CursorFile::CursorFile(const std::filesystem::path& folder, std::string_view sink) : path_(folder / fmt::format("{}{}", sink, kEnding)) {}

Result<std::optional<Cursors>> CursorFile::load() const {
  const auto text = files::read(path_, kMostCursorBytes);
  if (!text && text.error().code == Errc::not_found) return std::nullopt;
  if (!text) return pass(text.error());
  auto cursors = parse_cursors(*text);
  if (!cursors) return pass(std::move(cursors.error()), path_.string());
  return std::optional(std::move(*cursors));
}

Result<void> CursorFile::store(const Cursors& cursors) const { return files::replace(path_, to_text(cursors), 0600); }

}  // namespace berth::ship
