#include <algorithm>
#include <chrono>
#include <deque>
#include <filesystem>
#include <limits>
#include <memory>
#include <thread>

#include <fmt/core.h>
#include <unistd.h>

#include "cli/common.h"
#include "cli/event_filter.h"
#include "cli/json_view.h"
#include "cli/on_nodes.h"
#include "cli/output/text.h"
#include "cli/status_text.h"
#include "cli/verbs.h"
#include "daemon/store/accepted_troubles.h"
#include "daemon/store/store.h"

namespace berth::cli {
namespace {

constexpr std::int64_t kPage = 200, kSearchedPage = 1000;
constexpr std::int64_t kShown = 50, kFollowed = 10;  ///< of the newest, where nobody says how many
constexpr std::int64_t kMostNewest = 1'000'000;      ///< as docs/openapi.yaml has it
constexpr std::chrono::seconds kWait{30};            ///< that berthd keeps a call which has nothing new, and answers at once when it has
constexpr std::chrono::milliseconds kPatience{60'000};
constexpr std::chrono::seconds kBetweenLooks{1};

struct EventsOptions {
  std::string app, named, state, since, until, grep;
  std::vector<std::string> kinds;
  std::optional<std::int64_t> count, from;
  bool follow = false, verify = false, accept = false;
};

constexpr const char* kUsualState = "/var/lib/berth";
constexpr std::size_t kMostTroubles = 20;  ///< after the first, most follow from it

struct StateFolder {
  std::filesystem::path path;
  std::string why_usual;  ///< why berthd did not say that it is there; empty: it did, or somebody else
};

/// Where berthd keeps its state: as said, else as berthd says if it runs, else the usual place. A berthd that has a socket of its own has a state of its own.
Result<StateFolder> state_folder(const Console& console, const EventsOptions& options) {
  if (!options.state.empty()) return StateFolder{options.state, {}};
  const auto status = ApiClient(console).get("/v1/status", std::chrono::seconds(2));
  if (!status && console.socket != kUsualSocket)
    return fail(status.error().code, fmt::format("berth events: --verify: whose state it is to read is not known without berthd: name its folder, by --state DIR ({})", status.error().message));
  if (!status) return StateFolder{kUsualState, status.error().message};
  const auto* paths = member(*status, "paths");
  const std::string state = paths == nullptr ? std::string() : text_of(*paths, "state");
  return StateFolder{state.empty() ? kUsualState : state, {}};
}

/// What berthd wrote, compared. Fails with `Errc::permission` for whoever may not read it.
Result<std::vector<std::string>> troubles_of(const StateFolder& state, const std::filesystem::path& log, const std::filesystem::path& database) {
  // SQLite writes where it reads, and does not tell why it cannot.
  if (!database.empty() && ::access(database.c_str(), R_OK | W_OK) != 0) return fail_errno("open " + database.string());
  auto troubles = store::verify_events(log, database);
  if (!troubles && troubles.error().code == Errc::not_found && !state.why_usual.empty())
    troubles.error().message += fmt::format("; that is the usual place, and --state DIR names another folder: berthd cannot be asked where its state is, since {}", state.why_usual);
  return troubles;
}

bool filters(const EventsOptions& options) { return !options.since.empty() || !options.until.empty() || !options.kinds.empty() || !options.grep.empty(); }

/// Reads events.log itself, and what the database knows of it.
Result<Exit> verify(const Console& console, const EventsOptions& options) {
  if (console.node) return fail(Errc::usage, "berth events: --verify reads files of the node, so it goes without --node: run it there, as in: " + ssh_call(console.node->name, console.arguments));
  if (options.follow || options.from || options.count || !options.app.empty() || filters(options))
    return fail(Errc::usage, "berth events: --verify reads the whole log, and goes without -f, -n, --from, --app, --since, --until, --kind and --grep");
  BERTH_TRY(const StateFolder state, state_folder(console, options));
  const std::filesystem::path log = state.path / "events.log", database = state.path / "berth.db";
  std::error_code missing;
  const bool has_database = std::filesystem::exists(database, missing);
  BERTH_TRY(const auto troubles, troubles_of(state, log, has_database ? database : std::filesystem::path()));
  if (console.json) {
    json::array list(troubles.begin(), troubles.end());
    console.document(json::object{{"log", log.string()}, {"database", has_database}, {"troubles", std::move(list)}});
  } else if (troubles.empty()) {
    console.note(fmt::format("{}: every line continues the one before it{}.", log.string(), has_database ? ", and its end is as the database has it" : ""));
  } else {
    console.line(fmt::format("{} is not as berthd wrote it:", log.string()));
    for (std::size_t i = 0; i < std::min(troubles.size(), kMostTroubles); ++i) console.line("  " + printable(troubles[i]));
    if (troubles.size() > kMostTroubles) console.line(fmt::format("  … and {} more", troubles.size() - kMostTroubles));
  }
  if (options.accept && !troubles.empty()) {
    BERTH_CHECK(store::accept_troubles(log, troubles));
    console.note(fmt::format("That was looked at, as {} tells: berth doctor only warns of it from now on.", (log.parent_path() / "events.accepted").string()));
  }
  if (!has_database) console.warn(fmt::format("there is no {}: what is missing at the end of the log cannot be known", database.string()));
  return troubles.empty() ? Exit::ok : Exit::failed;
}

/// "   12  2026-11-24T09:00:00Z  deployment.state  web  {…}".
std::string event_line(const json::value& event) {
  const auto* data = member(event, "data");
  const std::string app = text_of(event, "app");
  return printable(fmt::format("{:>6}  {}  {}{}{}", number_of(event, "number"), short_time(text_of(event, "at")), text_of(event, "kind"),
                               app.empty() ? "" : "  " + app, data == nullptr ? "" : "  " + json::text(*data)));
}

void show(const Console& console, const json::value& event, const std::string& line) {
  if (console.json) {
    console.document(event);
  } else {
    console.line(console.room() > 0 ? shorten(line, static_cast<std::size_t>(console.room())) : line);
  }
}

/// Those from that number on.
std::string page_target(std::int64_t next, std::int64_t page, const std::string& app) { return fmt::format("/v1/events?from={}&limit={}{}", next, page, app); }

/// That there are none of those that were asked for.
std::string none_text(const ApiClient& api, const EventsOptions& options) {
  if (filters(options)) return "No event is of that kind, time and text.";
  if (!options.app.empty()) return fmt::format("Nothing has happened to {} here yet.", options.app);
  const auto status = api.get("/v1/status");
  const std::string limits = status ? limits_text(*status) : std::string();
  return limits.empty() ? std::string("Nothing has happened here yet.") : fmt::format("Nothing has happened to the apps that you may see: {}.", limits);
}

/// The newest of what a filter wants, which are known once all was read.
class Newest {
 public:
  /// `most` 0: all, which are shown at once.
  Newest(const Console& console, std::size_t most) : console_(console), most_(most) {}
  void add(const json::value& event, std::string line) {
    if (most_ == 0) return show(console_, event, line);
    kept_.emplace_back(event, std::move(line));
    if (kept_.size() > most_) kept_.pop_front();
  }
  /// Shows them; from then on each is shown at once.
  void flush() {
    for (const auto& [event, line] : kept_) show(console_, event, line);
    kept_.clear();
    most_ = 0;
  }

 private:
  const Console& console_;
  std::size_t most_;
  std::deque<std::pair<json::value, std::string>> kept_;
};

Result<Exit> events(const Console& console, EventsOptions options) {
  if (!options.named.empty() && !options.app.empty() && options.named != options.app)
    return fail(Errc::usage, fmt::format("berth events: {} and --app {} name two apps", options.named, options.app));
  if (options.app.empty()) options.app = options.named;
  if (options.verify) return verify(console, options);
  if (!options.state.empty() || options.accept) return fail(Errc::usage, fmt::format("berth events: --{} is for --verify", options.accept ? "accept" : "state"));
  if (options.from && *options.from < 1) return fail(Errc::usage, fmt::format("berth events: --from {}: events are numbered from 1 on", *options.from));
  if (options.count && *options.count < 0) return fail(Errc::usage, fmt::format("berth events: --count {}: must be 0, for all, or more", *options.count));
  if (options.follow && !options.until.empty()) return fail(Errc::usage, "berth events: what is followed has no end: --until goes without --follow");
  if (options.follow) BERTH_CHECK(check_one_is_followed(console, "berth events"));
  if (options.follow) console.end_with_reader();
  BERTH_TRY(const EventFilter filter, event_filter(options.since, options.until, options.kinds, options.grep));
  std::string app;
  if (!options.app.empty()) {
    BERTH_TRY(app, app_argument(options.app, "events"));
    app = "&app=" + app;
  }
  const ApiClient api(console);
  // Without --from the newest are wanted: berthd knows where they begin, and the rest is read from there.
  // Of what a filter wants nobody knows how far back the newest are, so that all is read, or what is not older than --since.
  const bool searches = filter.is_any();
  const std::int64_t usual = options.follow && !filter.since ? kFollowed : searches ? 0 : kShown;
  const std::int64_t count = options.from ? 0 : std::clamp<std::int64_t>(options.count.value_or(usual), 0, kMostNewest);
  const std::int64_t newest = searches ? 0 : count, page_size = searches ? kSearchedPage : kPage;
  Newest wanted(console, searches ? static_cast<std::size_t>(count) : 0);
  std::int64_t next = options.from.value_or(1);
  if (!options.from && filter.since) {
    BERTH_TRY(next, first_since(api, *filter.since, app));
  }
  std::int64_t left = std::numeric_limits<std::int64_t>::max();
  if (options.from && options.count.value_or(0) > 0) left = *options.count;
  if (newest > 0 && !options.follow) left = newest;
  std::string target = newest > 0 ? fmt::format("/v1/events?last={}&limit={}{}", newest, std::min(newest, kPage), app) : page_target(next, page_size, app);
  bool caught_up = false, shown = false, away = false;
  for (;;) {
    const auto answer = api.get(target, kPatience);
    if (!answer && options.follow && caught_up && answer.error().code == Errc::unreachable) {
      if (!std::exchange(away, true)) report(console, {Errc::unreachable, answer.error().message + "; waiting for it to come back"});
      std::this_thread::sleep_for(kBetweenLooks);
      continue;
    }
    BERTH_CHECK(answer);
    away = false;
    const auto& page = list_of(*answer, "events");
    for (const auto& event : page) {
      next = std::max(next, number_of(event, "number") + 1);
      std::string line = event_line(event);
      if (!filter.wants(event, line)) continue;
      wanted.add(event, std::move(line));
      shown = true;
      if (--left == 0) return Exit::ok;
    }
    if (console.is_broken()) return Exit::failed;
    target = page_target(next, page_size, app);
    if (static_cast<std::int64_t>(page.size()) >= page_size && !caught_up) continue;
    wanted.flush();
    if (!caught_up && !shown && !options.follow && !options.app.empty()) BERTH_CHECK(api.get(app_target(options.app, "")));  // fails where there is no such app
    if (!caught_up && !shown && !options.from) console.note(none_text(api, options));
    caught_up = true;
    if (!options.follow) return Exit::ok;
    target += fmt::format("&wait={}s", kWait.count());
  }
}

}  // namespace

Verb events_verb() {
  auto o = std::make_shared<EventsOptions>();
  return {
      .name = "events",
      .summary = "Show what happened on the node: deployments, exits, and what operators did",
      .text = "At a terminal a line is cut where that ends; --json has all of it. The numbers have no gaps; each entry is chained to the one before by its hash in events.log. --verify reads that file and the database themselves, also while "
              "berthd is down, names what was edited, removed, added, moved or torn, the first one first, and ends with 1 where anything was; with --accept 'berth doctor' no longer takes that for an error.",
      .examples = {"berth events -n 20", "berth events web -f", "berth events --since 1h --kind 'operator.*' # what operators did in the last hour",
                   "berth events --from 1 --json # all of them, one JSON document a line",
                   "berth events --verify # was the log changed?"},
      .exits = with_daemon_exits({Exit::failed, Exit::not_found}),
      .arguments = {{"APP", "of this app only", &o->named, Completes::app, false}},
      .options = {{"-f,--follow", "", "go on with what happens; begins with the newest 10, or as -n says", &o->follow},
                  {"-n,--count", "N", "the newest N, 50 where nothing is said, of a search all; 0: all; with --from the first N", &o->count},
                  {"--since", "WHEN", "from then on, so long ago: 10m, 2h30m, 7d; or a time in RFC 3339, or a day", &o->since},
                  {"--until", "WHEN", "before then", &o->until},
                  {"--kind", "PATTERN", "of that kind, as it is shown or as webhooks have it: deployment.failed, 'operator.*' (repeatable)", &o->kinds},
                  {"--grep", "TEXT", "with this text in the line", &o->grep},
                  {"--from", "NUMBER", "from this number on", &o->from},
                  {"--app", "APP", "the same as APP", &o->app, Completes::app, {}, true},
                  {"--verify", "", "compare the log's lines with each other and with the database", &o->verify},
                  {.names = "--accept", .value = "", .help = "with --verify: what it names was looked at, so that berth doctor warns of it alone", .into = &o->accept, .rare = true},
                  {"--state", "DIR", "with --verify: where berthd's state is (else as berthd says, or /var/lib/berth)", &o->state, Completes::folder, {}, true}},
      .action = [o](Console& console) { return events(console, *o); },
  };
}

}  // namespace berth::cli
