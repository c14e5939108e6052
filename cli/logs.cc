#include <cstdlib>
#include <memory>

#include <fmt/core.h>

#include "cli/common.h"
#include "cli/json_view.h"
#include "cli/output/table.h"
#include "cli/output/text.h"
#include "cli/verbs.h"
#include "core/logs/log_reader.h"
#include "core/logs/log_watch.h"
#include "core/utf8.h"

namespace berth::cli {
namespace {

struct LogsOptions {
  std::string what, since, until, grep, stream, root;
  std::optional<std::int64_t> last;
  bool follow = false, regex = false, raw = false;
};

constexpr const char* kUsualRoot = "/var/log/berth";

struct LogRoot {
  std::string folder;
  std::string why_usual;  ///< why berthd did not say that it is there; empty: it did, or somebody else
};

/// Where the logs are: as said, else as berthd says if it answers, else the usual place.
LogRoot log_root(const Console& console, const LogsOptions& options) {
  if (!options.root.empty()) return {options.root, {}};
  if (const char* root = std::getenv("BERTH_LOGS"); root != nullptr && *root != '\0') return {root, {}};
  const auto status = ApiClient(console.socket).get("/v1/status", std::chrono::seconds(10));
  if (!status) return {kUsualRoot, status.error().message};
  const auto* paths = member(*status, "paths");
  const std::string root = paths == nullptr ? std::string() : text_of(*paths, "logs");
  return {root.empty() ? kUsualRoot : root, {}};
}

Result<logs::LogQuery> query_of(const LogsOptions& options) {
  BERTH_TRY(const auto selector, parse_selector(options.what));
  if (selector.release)
    return fail(Errc::usage, fmt::format("berth logs: '{}': an instance's log goes on over releases; leave '@{}' out, and use --since", options.what,
                                         *selector.release));
  logs::LogQuery query{.selector = selector, .filter = {}, .last = {}, .follow = options.follow};
  const logs::Time now = std::chrono::system_clock::now();
  if (!options.since.empty()) {
    BERTH_TRY(query.filter.since, logs::parse_moment(options.since, now));
  }
  if (!options.until.empty()) {
    BERTH_TRY(query.filter.until, logs::parse_moment(options.until, now));
  }
  if (options.regex && options.grep.empty()) return fail(Errc::usage, "berth logs: --regex says how to read --grep, which is missing");
  if (options.regex) {
    BERTH_TRY(query.filter.pattern, logs::Pattern::regex(options.grep));
  } else if (!options.grep.empty()) {
    query.filter.pattern = logs::Pattern::fixed(options.grep);
  }
  if (options.stream == "stdout") query.filter.stream = logs::Stream::out;
  if (options.stream == "stderr") query.filter.stream = logs::Stream::err;
  if (!options.stream.empty() && !query.filter.stream)
    return fail(Errc::usage, fmt::format("--stream: '{}' is neither 'stdout' nor 'stderr'", options.stream));
  if (options.last && *options.last < 0) return fail(Errc::usage, "-n: a number of lines from 0 on");
  if (options.last) query.last = static_cast<std::uint64_t>(*options.last);
  // Following a log of weeks from its beginning is not what is meant; it is with --since.
  if (options.follow && !options.last && options.since.empty()) query.last = 10;
  return query;
}

void show(const Console& console, const LogsOptions& options, const logs::Record& record, const InstanceId& id) {
  if (console.json) {
    const json::object line{{"time", logs::format_rfc3339(record.time, 9)}, {"instance", to_string(id)}, {"stream", logs::to_string(record.stream)},
                            {"sequence", record.sequence}, {"text", as_utf8(record.text)}};
    fmt::print(console.out, "{}\n", json::text(line));
  } else if (options.raw) {
    std::fwrite(record.text.data(), 1, record.text.size(), console.out);
    std::fputc('\n', console.out);
  } else {
    const std::string head = fmt::format("{} {}.{}", logs::format_rfc3339(record.time), id.process, id.number);
    const auto number = static_cast<std::size_t>(record.source);
    std::string text = console.terminal ? printable(record.text) : record.text;
    if (record.stream == logs::Stream::err) text = tinted(text, Tint::warning, console.colour);
    const std::string line = tinted_by_number(head, number, console.colour) + "  " + text + "\n";
    std::fwrite(line.data(), 1, line.size(), console.out);
  }
}

Result<void> show_all(const Console& console, const LogsOptions& options, logs::LogReader& reader) {
  for (;;) {
    BERTH_TRY(const auto record, reader.next());
    if (!record) break;
    show(console, options, *record, reader.instance(record->source));
  }
  std::fflush(console.out);
  return {};
}

Result<Exit> logs_of(const Console& console, const LogsOptions& options) {
  BERTH_TRY(auto query, query_of(options));
  const LogRoot place = log_root(console, options);
  const std::string& root = place.folder;
  if (!place.why_usual.empty() && !console.quiet)
    console.warn(fmt::format("these are the logs in {}, since berthd does not say where its own are ({}); --logs DIR or $BERTH_LOGS names another folder", root,
                             place.why_usual));
  const bool follow = query.follow;
  std::optional<logs::LogWatch> watch;
  if (follow) {
    // Watching comes first, so that nothing falls between reading and watching. What is missing is told by the reader.
    if (auto watching = logs::LogWatch::open(root, query.selector)) watch.emplace(std::move(*watching));
  }
  BERTH_TRY(auto reader, logs::LogReader::open(root, std::move(query)));
  BERTH_CHECK(show_all(console, options, reader));
  while (follow) {
    if (!watch) return fail(Errc::io, fmt::format("the logs below {} cannot be watched (inotify)", root));
    const auto changed = watch->wait(milliseconds(-1));
    if (!changed) return pass(changed.error());
    BERTH_CHECK(reader.wake());
    BERTH_CHECK(show_all(console, options, reader));
  }
  if (reader.damaged() > 0 && !console.quiet)
    console.warn(fmt::format("{} damaged lines or files were passed over (a crash or power cut tore them)", reader.damaged()));
  return Exit::ok;
}

}  // namespace

Verb logs_verb() {
  auto o = std::make_shared<LogsOptions>();
  return {
      .name = "logs",
      .summary = "Show what an app printed, over its instances, restarts and rotations",
      .text = "The files are read directly, so that it works while berthd is down. What could steer a terminal is shown as \\x1b and the like; "
              "--raw passes it on as it is.",
      .examples = {"berth logs web -f", "berth logs web/worker.2 --since 10m --grep timeout", "berth logs web -n 100 --json",
                   "berth logs web --since 2026-11-24T09:00:00Z --until 2026-11-24T09:05:00Z --grep 'status=5[0-9]{2}' --regex"},
      .exits = {Exit::failed, Exit::not_found, Exit::permission},
      .arguments = {{"APP[/PROCESS[.N]]", "the app, one of its processes, or one instance", &o->what, Completes::instance}},
      .options = {{"-f,--follow", "", "go on as it is written, over rotations and new instances; begins with the last 10 lines", &o->follow},
                  {"-n,--lines", "N", "the last N lines only", &o->last},
                  {"--since", "WHEN", "from then on: 10m, 2h30m, 7d ago; a time in RFC 3339; a day", &o->since},
                  {"--until", "WHEN", "before then", &o->until},
                  {"--grep", "TEXT", "lines with this text", &o->grep},
                  {"--regex", "", "--grep is a POSIX extended regular expression", &o->regex},
                  {"--stream", "NAME", "'stdout' or 'stderr' only", &o->stream},
                  {"--raw", "", "the text alone, as the app wrote it", &o->raw},
                  {"--logs", "DIR", "where the logs are ($BERTH_LOGS; else as berthd says, or /var/log/berth)", &o->root, Completes::folder}},
      .action = [o](Console& console) { return logs_of(console, *o); },
  };
}

}  // namespace berth::cli
