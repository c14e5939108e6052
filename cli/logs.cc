#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <deque>
#include <memory>

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include "cli/common.h"
#include "cli/json_view.h"
#include "cli/keeper_logs.h"
#include "cli/log_lines.h"
#include "cli/on_nodes.h"
#include "cli/remote_logs.h"
#include "cli/verbs.h"
#include "core/logs/log_reader.h"
#include "core/logs/log_watch.h"
#include "core/logs/record_json.h"
#include "core/logs/record_time.h"

namespace berth::cli {
namespace {

struct LogsOptions {
  std::string what, since, until, grep, stream, release, level, colour, root;
  std::optional<std::int64_t> last;
  bool follow = false, regex = false, raw = false, previous = false;
};

constexpr const char* kUsualRoot = "/var/log/berth";
constexpr std::ptrdiff_t kMostNamed = 10;  ///< releases that have lines
constexpr int kMostLooked = 1000;             ///< lines of a node elsewhere that tell which releases wrote

struct LogRoot {
  std::string folder;
  std::string why_usual;  ///< why berthd did not say that it is there; empty: it did, or somebody else
  bool is_hidden = false; ///< berthd does not tell it to whoever asks, but gives lines of apps that are his
  std::string elsewhere{};  ///< that instances write somewhere else; empty: none does
};

/// That instances of `name` write below another folder than `root`, and what to do.
std::string elsewhere_text(const json::value& status, const std::string& name, const std::string& root) {
  for (const auto& app : list_of(status, "apps"))
    if (text_of(app, "app") == name)
      for (const LogElsewhere& one : logs_elsewhere(app, root))
        return fmt::format("{0} writes below {1} still, since [paths] logs was changed while it ran: 'berth logs {2} --logs {1}' shows that, and 'berth stop {2}' and 'berth start {2}' bring it to {3}", one.instance,
                           one.folder.string(), name, root);
  return {};
}

/// Where the logs are: as said, else as berthd says if it answers, else the usual place.
LogRoot log_root(const Console& console, const LogsOptions& options, const std::string& app) {
  if (!options.root.empty()) return {options.root, {}};
  if (const char* root = std::getenv("BERTH_LOGS"); root != nullptr && *root != '\0') return {root, {}};
  const auto status = ApiClient(console).get("/v1/status", std::chrono::seconds(2));
  if (!status) return {kUsualRoot, status.error().message};
  const auto* paths = member(*status, "paths");
  const std::string root = paths == nullptr ? std::string() : text_of(*paths, "logs");
  return {root, {}, root.empty(), root.empty() ? std::string() : elsewhere_text(*status, app, root)};
}

/// That the logs are looked for where they usually are, and why.
std::string usual_text(const LogRoot& root) {
  return fmt::format("{} is where logs usually are, and --logs DIR or $BERTH_LOGS names another folder: berthd cannot be asked where its own are, since {}", root.folder, root.why_usual);
}

/// Of `web@v42` and of --release.
Result<std::optional<std::string>> wanted_release(const LogsOptions& options, const InstanceSelector& selector) {
  if (options.release.empty()) return selector.release;
  if (!is_release_id(options.release)) return fail(Errc::usage, fmt::format("--release: '{}' is no release id, such as v42", options.release));
  if (selector.release && *selector.release != options.release)
    return fail(Errc::usage, fmt::format("berth logs: '{}' and --release {} name two releases", options.what, options.release));
  return std::optional(options.release);
}

/// Settles what `--color` says.
Result<void> choose_colour(Console& console, const std::string& when) {
  if (when == "always") console.colour = true;
  else if (when == "never") console.colour = false;
  else if (!when.empty() && when != "auto") return fail(Errc::usage, fmt::format("--color: '{}' is none of auto, always, never", when));
  return {};
}

Result<logs::LogQuery> query_of(const LogsOptions& options) {
  BERTH_TRY(const auto selector, parse_selector(options.what));
  if (options.previous && options.follow) return fail(Errc::usage, "berth logs: --previous shows a run that is over: it goes without --follow");
  logs::LogQuery query{.selector = selector, .filter = {}, .last = {}, .follow = options.follow, .previous = options.previous};
  BERTH_TRY(query.filter.release, wanted_release(options, selector));
  query.filter.app_only = options.raw;
  if (!options.level.empty()) {
    auto level = logs::parse_level(options.level);
    if (!level) return pass(std::move(level.error()), "--level");
    query.filter.level = *level;
  }
  const logs::Time now = std::chrono::system_clock::now();
  if (!options.since.empty()) {
    BERTH_TRY(query.filter.since, logs::parse_moment(options.since, now));
  }
  if (!options.until.empty()) {
    BERTH_TRY(query.filter.until, logs::parse_moment(options.until, now));
  }
  if (options.follow && query.filter.until) return fail(Errc::usage, "berth logs: what is followed has no end: --until goes without --follow");
  if (query.filter.since && query.filter.until && *query.filter.since >= *query.filter.until)
    return fail(Errc::usage, fmt::format("berth logs: --since {} is not before --until {}, so that no line is in between", options.since, options.until));
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

void show(const Console& console, const LogsOptions& options, logs::Record record, const InstanceId& id, LogLines& lines) {
  if (console.json) {
    console.write(json::text(logs::to_json(record, id)) + "\n");
  } else if (options.raw) {
    console.write(record.text);
    if (!record.cut) console.write("\n");
  } else {
    lines.add(std::move(record), id);
  }
}

/// How many there were.
Result<std::uint64_t> show_all(const Console& console, const LogsOptions& options, logs::LogReader& reader, LogLines& lines) {
  std::uint64_t shown = 0;
  for (;;) {
    BERTH_TRY(auto record, reader.next());
    if (!record) break;
    const InstanceId id = reader.instance(record->source);
    show(console, options, std::move(*record), id, lines);
    ++shown;
  }
  lines.flush();
  console.flush();
  return shown;
}

/// Which releases lines are of.
class ReleasesSeen {
 public:
  void add(const std::string& release) {
    if (!release.empty() && std::ranges::find(all_, release) == all_.end()) all_.push_back(release);
  }
  /// That `release` is none of them, and which there are; of many the newest, and how many more.
  Error none_of(const std::string& app, const std::string& release) const {
    std::vector<std::string> newest = all_;
    std::string more;
    if (const auto left_out = std::ssize(all_) - kMostNamed; left_out > 0) {
      newest.erase(newest.begin(), newest.begin() + left_out);
      more = fmt::format(", and of {} older one{}", left_out, left_out == 1 ? "" : "s");
    }
    const std::string there = all_.empty() ? "no line tells a release" : fmt::format("there are lines of {}{}", fmt::join(newest, ", "), more);
    return {Errc::not_found, fmt::format("{}: no lines of {}; {}", app, release, there)};
  }

 private:
  std::vector<std::string> all_;  ///< in the order in which they wrote first
};

/// The parameters of the control API that ask for the same, but that it goes on; and but for a regular expression and, with one, how many: see `read_by_regex`.
std::map<std::string, std::string> parameters_of(const LogsOptions& options, const logs::LogQuery& query) {
  std::map<std::string, std::string> parameters;
  const auto add = [&parameters](const char* name, const std::string& value) {
    if (!value.empty()) parameters[name] = value;
  };
  add("process", query.selector.process.value_or(""));
  if (query.selector.number) parameters["number"] = std::to_string(*query.selector.number);
  add("release", query.filter.release.value_or(""));
  add("since", options.since);
  add("until", options.until);
  if (!options.regex) add("grep", options.grep);
  add("level", options.level);
  add("stream", options.stream);
  if (query.last && !options.regex) parameters["lines"] = std::to_string(*query.last);
  if (options.previous) parameters["previous"] = "true";
  return parameters;
}

Result<void> read_or_follow(const Console& console, const logs::LogQuery& query, const std::map<std::string, std::string>& parameters, const TakeLine& take) {
  return query.follow ? follow_remote_logs(console, query.selector.app, parameters, take) : read_remote_logs(console, query.selector.app, parameters, take);
}

/// Reads a node's lines with a regular expression. It is matched here, as a node does only what takes bounded work; so the last ones are counted here, too.
Result<void> read_by_regex(const Console& console, const logs::LogQuery& query, std::map<std::string, std::string> parameters, const TakeLine& take) {
  const auto wants = [&query](const logs::Record& record) { return !(query.filter.app_only && record.keeper) && query.filter.pattern->found_in(record.text); };
  const auto take_wanted = [&](const std::string& line, logs::Told told) {
    if (wants(told.record)) take(line, std::move(told));
  };
  if (query.last == 0u) parameters["lines"] = "0";
  if (query.last.value_or(0) == 0) return read_or_follow(console, query, parameters, take_wanted);

  std::deque<std::pair<std::string, logs::Told>> last;
  SeenLines seen;
  const auto keep = [&](const std::string& line, logs::Told told) {
    seen.add(told);
    if (!wants(told.record)) return;
    last.emplace_back(line, std::move(told));
    if (last.size() > *query.last) last.pop_front();
  };
  BERTH_CHECK(read_remote_logs(console, query.selector.app, parameters, keep));
  for (auto& [line, told] : last) take(line, std::move(told));
  if (!query.follow) return {};
  if (const auto since = seen.next_since(query.filter.since)) parameters["since"] = logs::format_rfc3339(*since, 9);
  const auto go_on = [&](const std::string& line, logs::Told told) {
    if (seen.add(told)) take_wanted(line, std::move(told));
  };
  return follow_remote_logs(console, query.selector.app, parameters, go_on);
}

/// Fails with `Errc::not_found` where a node has no line at all of that release, whatever else was asked for. Which ones its lines are of, the newest tell.
Result<void> check_remote_release(const Console& console, const InstanceSelector& selector, const std::string& release) {
  std::map<std::string, std::string> parameters{{"release", release}, {"lines", "1"}};
  if (selector.process) parameters["process"] = *selector.process;
  if (selector.number) parameters["number"] = std::to_string(*selector.number);
  bool found = false;
  BERTH_CHECK(read_remote_logs(console, selector.app, parameters, [&found](const std::string&, logs::Told) { found = true; }));
  if (found) return {};
  parameters.erase("release");
  parameters["lines"] = std::to_string(kMostLooked);
  ReleasesSeen seen;
  BERTH_CHECK(read_remote_logs(console, selector.app, parameters, [&seen](const std::string&, logs::Told told) { seen.add(told.record.release); }));
  return std::unexpected(seen.none_of(selector.app, release));
}

/// From a node elsewhere, or from the berthd here.
Result<Exit> remote_logs(const Console& console, const LogsOptions& options, const logs::LogQuery& query) {
  if (!options.root.empty()) return fail(Errc::usage, "berth logs: --logs names a folder of this machine, so it goes without --node");
  if (options.follow) BERTH_CHECK(check_one_is_followed(console, "berth logs"));
  LogLines lines(console);
  bool shown = false;
  const auto take = [&](const std::string& line, logs::Told told) {
    if (options.raw && told.record.keeper) return;
    shown = true;
    if (console.json) console.line(line);
    else show(console, options, std::move(told.record), told.id, lines);
    if (options.follow) lines.flush();
    if (options.follow) console.flush();
  };
  const auto parameters = parameters_of(options, query);
  BERTH_CHECK(options.regex ? read_by_regex(console, query, parameters, take) : read_or_follow(console, query, parameters, take));
  if (query.filter.release && !shown) BERTH_CHECK(check_remote_release(console, query.selector, *query.filter.release));
  return Exit::ok;
}

/// Whether there are logs of the app that whoever asks may not read, while berthd may let them: members of groups with a role of their own.
bool are_closed(const std::string& root, const std::string& app) {
  return ::access((root + "/" + app).c_str(), R_OK | X_OK) != 0 && errno == EACCES;
}

/// Fails with `Errc::not_found` where no line at all is of that release, whatever else was asked for.
Result<void> check_release(const std::string& root, InstanceSelector selector, const std::string& release) {
  const std::string app = selector.app;
  selector.release.reset();
  BERTH_TRY(auto reader, logs::LogReader::open(root, {.selector = std::move(selector), .filter = {}, .last = {}}));
  ReleasesSeen seen;
  for (;;) {
    BERTH_TRY(const auto record, reader.next());
    if (!record) break;
    if (record->release == release) return {};
    seen.add(record->release);
  }
  return std::unexpected(seen.none_of(app, release));
}

Result<Exit> logs_of(Console& console, const LogsOptions& options) {
  BERTH_CHECK(choose_colour(console, options.colour));
  BERTH_TRY(auto query, query_of(options));
  if (options.follow) console.end_with_reader();
  if (console.node) return remote_logs(console, options, query);
  const LogRoot place = log_root(console, options, query.selector.app);
  const std::string& root = place.folder;
  if (place.is_hidden || (options.root.empty() && place.why_usual.empty() && are_closed(root, query.selector.app))) return remote_logs(console, options, query);
  console.detail(fmt::format("the logs of {} are read in {}", options.what, root));
  const bool follow = query.follow;
  const auto release = query.filter.release;
  const InstanceSelector selector = query.selector;
  LogLines lines(console);
  std::optional<logs::LogWatch> watch;
  if (follow) {
    // Watching comes first, so that nothing falls between reading and watching. What is missing is told by the reader.
    if (auto watching = logs::LogWatch::open(root, query.selector)) watch.emplace(std::move(*watching));
  }
  auto opened = logs::LogReader::open(root, std::move(query));
  // A release that there is not is told with those that there are.
  if (!opened && options.previous && release && place.why_usual.empty() && opened.error().code == Errc::not_found) BERTH_CHECK(check_release(root, selector, *release));
  if (!opened && !place.why_usual.empty()) return fail(opened.error().code, fmt::format("{}; {}", opened.error().message, usual_text(place)));
  if (!opened && !place.elsewhere.empty()) return fail(opened.error().code, fmt::format("{}; {}", opened.error().message, place.elsewhere));
  if (!opened) return std::unexpected(opened.error());
  if (!place.elsewhere.empty() && !console.quiet) console.warn(place.elsewhere);
  if (!place.why_usual.empty() && !console.quiet) console.warn(usual_text(place));
  auto& reader = *opened;
  BERTH_TRY(const auto shown, show_all(console, options, reader, lines));
  if (release && shown == 0 && !follow) BERTH_CHECK(check_release(root, selector, *release));
  while (follow) {
    if (!watch) return fail(Errc::io, fmt::format("the logs below {} cannot be watched (inotify)", root));
    const auto changed = watch->wait(milliseconds(-1));
    if (!changed) return pass(changed.error());
    BERTH_CHECK(reader.wake());
    BERTH_CHECK(show_all(console, options, reader, lines));
    if (console.is_broken()) return Exit::failed;
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
      .text = "The files are read directly, so that it works while berthd is down; those of another node (--node) are asked of its berthd. What could steer a terminal is shown as \\x1b and the like; "
              "--raw passes it on as it is, without what keepers say. A line's level is what it says of itself: a JSON object's level or severity, level=warn, [error], "
              "ERROR near its beginning. Lines that go on with one, as those of a stack trace do, have its level; others that say none are not shown with --level. "
              "--previous shows of each instance the last run that is over, of a deployment's the last that ended by itself: why it was started again, or, of web@v42, what that release printed at last, such as one that failed. Lines that an older keeper captured tell neither release nor run. "
              "Where several releases wrote what is shown, each line tells its own: web.1@v3.",
      .examples = {"berth logs web -f", "berth logs web/worker.2 --since 10m --grep timeout", "berth logs web -n 100 --json",
                   "berth logs web@v42 --level warning", "berth logs web/web.1 --previous",
                   "berth logs web --since 2026-11-24T09:00:00Z --until 2026-11-24T09:05:00Z --grep 'status=5[0-9]{2}' --regex"},
      .exits = {Exit::failed, Exit::not_found, Exit::permission},
      .arguments = {{"APP[/PROCESS[.N]][@RELEASE]", "the app, one of its processes, or one instance; of one release", &o->what, Completes::instance}},
      .options = {{"-f,--follow", "", "go on as it is written, over rotations and new instances; begins with the last 10 lines", &o->follow},
                  {"-n,--lines", "N", "the last N lines only", &o->last},
                  {"--since", "WHEN", "from then on, so long ago: 10m, 2h30m, 7d; or a time in RFC 3339, or a day", &o->since},
                  {"--until", "WHEN", "before then", &o->until},
                  {"--grep", "TEXT", "lines with this text", &o->grep},
                  {"--regex", "", "--grep is a POSIX extended regular expression", &o->regex},
                  {"--release", "RELEASE", "lines of that release, as in web@v42", &o->release, Completes::release_id},
                  {"-p,--previous", "", "of each instance the last run that is over; with a release, its last one", &o->previous},
                  {"--level", "LEVEL", "lines that are at least so bad: trace, debug, info, notice, warning, error, critical", &o->level, Completes::nothing, "trace debug info notice warning error critical"},
                  {"--stream", "NAME", "'stdout' or 'stderr' only", &o->stream, Completes::nothing, "stdout stderr"},
                  {"--raw", "", "the text alone, as the app wrote it", &o->raw},
                  {"--color", "WHEN", "a colour for each instance: auto (at a terminal, unless $NO_COLOR is set), always, never", &o->colour, Completes::nothing, "auto always never"},
                  {"--logs", "DIR", "where the logs are ($BERTH_LOGS; else as berthd says, or /var/log/berth)", &o->root, Completes::folder}},
      .action = [o](Console& console) { return logs_of(console, *o); },
  };
}

}  // namespace berth::cli
