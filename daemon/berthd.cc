#include "daemon/berthd.h"

#include <algorithm>
#include <csignal>
#include <utility>

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include "core/build_info/build_info.h"
#include "core/files/files.h"
#include "core/utf8.h"
#include "daemon/check.h"
#include "daemon/clients.h"
#include "daemon/conditions.h"
#include "daemon/deploy/idle_thread.h"
#include "daemon/deploy/instance_plan.h"
#include "daemon/host/cgroup.h"
#include "daemon/host/log_access.h"
#include "daemon/host/log.h"
#include "daemon/host/memory.h"
#include "daemon/host/socket_access.h"
#include "daemon/journal/message.h"
#include "daemon/running_instances.h"
#include "daemon/settings.h"
#include "daemon/ship/kinds.h"
#include "daemon/summary.h"
#include "daemon/supervise/launcher.h"

namespace berth {
namespace {

constexpr std::size_t kWorkThreads = 4;
constexpr std::size_t kIdleThreads = 1;
constexpr std::size_t kLookThreads = 1;
constexpr std::size_t kMostPerUser = 64;  ///< connections to the control socket
constexpr std::chrono::milliseconds kLastAnswers{500};  ///< for who has asked when berthd is told to end
constexpr std::chrono::seconds kLastBatches{3};  ///< that are under way when berthd is told to end, so that they do not come twice

}  // namespace

/// How this machine lets berthd work.
struct Berthd::How {
  host::Programs programs;
  bool use_systemd = false;
  std::string cgroup_root;
  std::shared_ptr<ship::DaemonLog> own_log = std::make_shared<ship::DaemonLog>();
  deploy::DeployerOptions deployer{};

  bool limits_enforced() const { return use_systemd || !cgroup_root.empty(); }
};

Result<std::unique_ptr<Berthd>> Berthd::make(fs::path config_file, config::Config config, host::Programs programs) {
  How how{.programs = std::move(programs), .use_systemd = host::ServiceManager::runs_us()};
  ship::listen_to_log(how.own_log);
  BERTH_CHECK(host::check_programs(how.programs));
  BERTH_CHECK(files::make_directories(config.run, 0755));
  BERTH_CHECK(files::make_directories(config.logs, 0755));
  const auto running = [run = config.run](const std::vector<store::MayRun>& candidates) { return running_instances(run, candidates); };
  BERTH_TRY(auto store, store::Store::open(paths_of(config), running));
  if (const auto torn = store->torn_event(); torn > 0)
    spdlog::warn("{}: a crash had torn its last line, of which {} bytes were there; it was written again", store->paths().events().string(), torn);
  if (const store::Rebuilt* rebuilt = store->rebuilt()) spdlog::warn("{} {}", store->paths().database().string(), to_string(*rebuilt));
  if (!store->event_trouble().empty())
    journal::log(spdlog::level::warn, journal::Message::events_changed, {.reason = store->event_trouble()},
                 fmt::format("{} was changed while no berthd ran: {}; 'berth events --verify' tells all that is wrong with it", store->paths().events().string(), store->event_trouble()));
  if (!how.use_systemd) how.cgroup_root = host::own_cgroup(config.run);
  how.deployer = deployer_options(config, how.programs);
  how.deployer.node.given_secrets = std::make_shared<secrets::GivenSecrets>();
  learn_secrets(*store, how.deployer.node);
  spdlog::info("berthd " BERTH_VERSION " ({}) on {} ({}): keepers are {}, limits are {}", source_version(), config.node, config.environment,
               how.use_systemd ? "services of systemd" : "processes of their own", how.limits_enforced() ? "enforced" : "not enforced");
  if (!host::is_in_memory(config.run))
    spdlog::warn("{} ([paths] run) is on a disk: releases with secrets are refused", config.run.string());
  if (const std::string complaint = host::complaint_of(host::worker_user()); !complaint.empty()) spdlog::warn("{}", complaint);
  if (const std::string trouble = trouble_of_root(config); !trouble.empty()) spdlog::warn("{}", trouble);
  std::unique_ptr<Berthd> berthd(new Berthd(std::move(config_file), std::move(config), how, std::move(store)));
  BERTH_CHECK(berthd->listen());
  return berthd;
}

Berthd::Berthd(fs::path config_file, config::Config config, const How& how, std::unique_ptr<store::Store> store)
    : config_file_(std::move(config_file)),
      config_(std::move(config)),
      signals_(loop_.executor(), {SIGTERM, SIGINT, SIGHUP}),
      was_busy_(loop_.executor()),
      store_(std::move(store)),
      repository_(repository_of(config_)),
      work_(kWorkThreads),
      idle_(kIdleThreads),
      looks_(kLookThreads),
      supervisor_(loop_.executor(), work_,
                  {.keeper_program = how.programs.keeper, .run_directory = config_.run, .use_systemd = how.use_systemd, .start_service = supervise::start_service, .cgroup_root = how.cgroup_root,
                   .keep_orphans = config_.keep_orphans}),
      router_(loop_.executor(), work_, config_.run),
      deployer_(loop_.executor(), work_, idle_, *store_, supervisor_, router_, repository_.get(), how.deployer),
      follower_({loop_, work_, deployer_, source_of(repository_.get(), *store_), [this](store::Event event) { store_->tell(std::move(event)); },
                 [this](const std::string& app) { return store_->newest_event(app, "follow.wanted").value_or(std::nullopt); }},
                config_.follow, config_.environment),
      shipping_(shipping_of_logs(how)),
      webhooks_(shipping_of_events(how)),
      operators_(config_.group.empty() ? std::nullopt : api::group_named(config_.group)),
      token_(loop_, config_.metrics_token.starts_with("command:") ? work_ : looks_, config_.metrics_token, {.commands = config_.secret_commands}),
      node_({loop_, looks_, *store_, deployer_, repository_.get(), follower_, shipping_, webhooks_, [this] { return remote_.status(); }, [this] { return network_.status(); }, token_,
            [this](deploy::Asked asked) { return reload(std::move(asked)); }}, config_,
            how.limits_enforced(), groups_of(config_)),
      api_(deployer_, node_),
      control_(loop_.executor(), [this](io::ServerRequest request) { return api_.on_socket(std::move(request)); }, {.most_per_address = kMostPerUser}),
      network_(loop_, manager_, metrics_listener(config_), [this](io::ServerRequest request) { return api_.on_network(std::move(request)); }),
      remote_(loop_, manager_, remote_listener(config_), [this](io::ServerRequest request) { return api_.on_tls(std::move(request)); }) {
  store_->on_event(webhooks_.waker());
}

/// What is shipped to webhooks: events.
ship::ShippingParts Berthd::shipping_of_events(const How& how) {
  return {.loop = loop_,
          .looks = looks_,
          .idle = idle_,
          .logs = {},
          .state = config_.state,
          .node = config_.node,
          .environment = config_.environment,
          .secret_sources = {.commands = config_.secret_commands},
          .events = [this](std::int64_t first, int most) { return store_->events(first, most); },
          .last_event = [this] { return store_->last_event(); },
          .tell = [this](store::Event event) { store_->tell(std::move(event)); },
          .daemon_log = {},
          .given_secrets = how.deployer.node.given_secrets,
          .cargo = ship::Cargo::events,
          .give_way = {}};
}

/// What is shipped to sinks: logs of apps, events and the daemon's own log.
ship::ShippingParts Berthd::shipping_of_logs(const How& how) {
  ship::ShippingParts parts = shipping_of_events(how);
  parts.logs = config_.logs;
  parts.daemon_log = how.own_log;
  parts.cargo = ship::Cargo::logs;
  parts.caught_up = [this] { was_busy_.notify(); };
  parts.give_way = deploy::give_way;
  return parts;
}

Berthd::~Berthd() = default;

Result<void> Berthd::listen() {
  if (operators_)
    if (const auto shared = host::share_logs(config_.logs, *operators_); !shared)
      spdlog::warn("members of the group '{}' may not be able to read logs: {}", config_.group, shared.error().message);
  BERTH_CHECK(listen_for_operators());
  network_.take_kept();
  remote_.take_kept();
  manager_.drop_kept();
  network_.start();
  remote_.start();
  return {};
}

Result<void> Berthd::listen_for_operators() {
  if (auto sockets = manager_.take_sockets(); !sockets.empty()) {
    for (Fd& socket : sockets) BERTH_CHECK(control_.listen_on(std::move(socket)));
    has_own_socket_ = false;
    return {};
  }
  BERTH_CHECK(control_.listen_unix(config_.run / "api.sock", operators_ ? 0660 : 0600, operators_.value_or(static_cast<gid_t>(-1))));
  if (!config_.groups.empty()) admit_groups();
  return {};
}

/// Those that the socket does not belong to get to it by an access list. Who cannot connect is told by the kernel; what runs goes on.
void Berthd::admit_groups() {
  if (!has_own_socket_) return spdlog::warn("the control socket is one of systemd's: its unit says which groups may connect, [[api.local]] what they may do");
  std::vector<gid_t> others;
  for (const api::Group& group : node_.groups())
    if (group.number != operators_) others.push_back(group.number);
  if (const auto shared = host::share_socket(config_.run / "api.sock", operators_.has_value(), std::move(others)); !shared)
    spdlog::error("the groups of [[api.local]] cannot use the control socket: {}", shared.error().message);
}

/// Takes over who is in which group, and what they may do. False where that is as it was.
bool Berthd::change_groups() {
  auto groups = groups_of(config_);
  if (groups == node_.groups()) return false;
  node_.set_groups(std::move(groups));
  admit_groups();
  return true;
}

Exit Berthd::run() {
  ::signal(SIGPIPE, SIG_IGN);  // what a one-off command does not read any more is no end of this
  loop_.spawn("signals", heed_signals());
  loop_.spawn("start", start());
  if (manager_.watchdog_period()) loop_.spawn("watchdog", tell_watchdog());
  loop_.run();
  return exit_;
}

awaitable<void> Berthd::start() {
  shipping_.start(config_.sinks, config_.compress_logs);
  webhooks_.start(ship::as_sinks(config_.webhooks), false);
  const auto started = co_await deployer_.start();
  if (is_ending_) co_return;
  if (!started) {
    spdlog::error("berthd cannot start: {}", started.error().message);
    end(exit_code(started.error().code));
    co_return;
  }
  node_.now_ready();
  deployer_.on_settled([this](const std::string& app) { follower_.wake(app); });
  deployer_.on_ended([this] { was_busy_.notify(); });
  follower_.start();
  loop_.spawn("routes", watch_routes());
  loop_.spawn("rest", rest());
  loop_.spawn("conditions", watch_conditions(&node_));
  const auto apps = co_await deployer_.status();
  const std::string text = summary(apps ? *apps : std::vector<deploy::AppStatus>());
  spdlog::info("ready: {}", text);
  manager_.ready(text);
}

/// A while after the start, after deployments and after backlogs of logs gives back the memory that only those needed.
awaitable<void> Berthd::rest() {
  constexpr std::chrono::seconds kQuiet{10};
  constexpr std::chrono::hours kUntilOneEnds{24};
  for (;;) {
    for (bool ended = true; ended;) ended = co_await was_busy_.wait(kQuiet);
    co_await looks_.run(host::give_back_memory);  // not where work is in no hurry: it holds the allocator's locks
    for (bool ended = false; !ended;) ended = co_await was_busy_.wait(kUntilOneEnds);
  }
}

awaitable<void> Berthd::heed_signals() {
  for (;;) {
    const int signal = co_await signals_.next();
    if (signal == 0) co_return;
    if (signal == SIGHUP) {
      loop_.spawn("reload", reload_by_signal());
    } else {
      spdlog::info("told to end ({}); what runs goes on", signal == SIGTERM ? "SIGTERM" : "SIGINT");
      is_ending_ = true;
      manager_.stopping();
      follower_.stop();
      deployer_.stop();  // where the machine goes down, what it stops is no trouble of a release
      shipping_.stop();
      webhooks_.stop();
      const auto until = io::Steady::now() + kLastBatches;
      co_await shipping_.ended(kLastBatches);
      const auto left = std::max(std::chrono::milliseconds(0), std::chrono::ceil<std::chrono::milliseconds>(until - io::Steady::now()));
      co_await webhooks_.ended(left);
      co_await network_.leave(kLastAnswers);
      co_await remote_.leave(kLastAnswers);
      end(Exit::ok);
      co_return;
    }
  }
}

/// What the files say now, with where logs and events go changed already, which may refuse it all.
Result<config::Config> Berthd::read_again() {
  BERTH_TRY(auto said, config::load(config_file_, ship::sink_kinds()));
  BERTH_CHECK(check_changed_secrets(config_, said));
  BERTH_CHECK(webhooks_.check(ship::as_sinks(said.webhooks)));
  BERTH_CHECK(shipping_.change(said.sinks, said.compress_logs));
  BERTH_CHECK(webhooks_.change(ship::as_sinks(said.webhooks), false));
  return said;
}

/// Only the log's level, where logs and events go and who may call the API change without a restart. Gives what ends the
/// connections of those who may have another role now: nobody goes on by one that he has no more. Who comes afterwards has the new one.
std::function<void()> Berthd::take_over(const config::Config& said) {
  config_.sinks = said.sinks;
  config_.webhooks = said.webhooks;
  config_.compress_logs = said.compress_logs;
  config_.log_level = said.log_level;
  host::set_log_level(said.log_level);
  const bool other_clients = said.clients != config_.clients;
  if (other_clients) {
    config_.clients = said.clients;
    node_.set_clients(clients_of(config_));
  }
  config_.groups = said.groups;
  const bool other_groups = change_groups();
  remote_.refresh();
  network_.refresh();
  token_.look_again();
  if (!other_clients && !other_groups) return {};
  std::vector<std::function<void()>> drops;
  if (other_clients) drops.push_back(remote_.dropping_connections());
  if (other_groups) drops.push_back(control_.dropping_connections());
  return [drops = std::move(drops)] {
    for (const auto& drop : drops) drop();
  };
}

/// Reads the configuration again. What was changed that counts after a restart is said, so that nobody believes that it counts.
awaitable<Result<api::Reloaded>> Berthd::reload(deploy::Asked asked) {
  manager_.reloading();
  boost::json::object data;
  data["by"] = as_utf8(asked.by);
  if (!asked.why.empty()) data["why"] = asked.why;
  if (asked.pid > 0) data["pid"] = asked.pid;
  const auto said = read_again();
  if (!said) {
    const std::string& why = said.error().message;
    journal::log(spdlog::level::err, journal::Message::config_refused, {.reason = why}, fmt::format("{} is not taken: {} (asked by {})", config_file_.string(), why, asked.by));
    node_.reloaded(metrics::NodeStatus::Refused{.at = store::now_text(), .reason = why});
    manager_.ready("Not reloaded: the configuration is wrong, and the one before counts still; its log says why");
    data["reason"] = as_utf8(why);
    store::Event event{.number = 0, .at = {}, .kind = "config.refused", .app = {}, .data = std::move(data)};
    const auto told = co_await add(std::move(event));
    if (!told) spdlog::error("that is in no event: {}", told.error().message);
    co_return fail(Errc::conflict, fmt::format("the configuration is wrong, and the one before counts still: {}", why));
  }
  api::Reloaded done{.files = {}, .until_restart = {}, .then = take_over(*said)};
  done.until_restart = config::changed_until_restart(config_, *said);
  for (const fs::path& file : said->files) done.files.push_back(file.string());
  spdlog::info("reloaded {}, as {} asked", config::text_of(said->files), asked.by);
  std::string answer = "Reloaded";
  if (!done.until_restart.empty()) {
    const std::string later = fmt::format("what changed in {} counts after a restart ('systemctl restart berthd'), which stops no app", fmt::join(done.until_restart, ", "));
    answer += "; " + later;
    spdlog::warn("{}: {}", config_file_.string(), later);
  }
  node_.reloaded({});
  manager_.ready(answer);
  data["until_restart"] = boost::json::array(done.until_restart.begin(), done.until_restart.end());
  store::Event event{.number = 0, .at = {}, .kind = "config.reloaded", .app = {}, .data = std::move(data)};
  const auto told = co_await add(std::move(event));
  if (!told) spdlog::error("that is in no event: {}", told.error().message);
  co_return done;
}

awaitable<void> Berthd::reload_by_signal() {
  deploy::Asked asked{.by = "a signal (SIGHUP)", .why = {}, .pid = 0};
  const auto done = co_await reload(std::move(asked));
  if (done && done->then) done->then();
}

/// Says that berthd lives when the loop runs this and the database answers. One that does not is ended by systemd, and started again.
awaitable<void> Berthd::tell_watchdog() {
  const auto period = *manager_.watchdog_period();
  for (;;) {
    co_await io::sleep_for(period);
    const auto ask = [store = store_.get()] { return store->apps(); };
    const auto answered = co_await looks_.run(ask);
    if (!answered) {
      spdlog::error("the state does not answer: {}", answered.error().message);
      continue;
    }
    manager_.alive();
    if (!deployer_.ready()) {
      manager_.still_starting(3 * period);
      continue;
    }
    const auto apps = co_await deployer_.status();
    if (apps) manager_.status(summary(*apps));
  }
}

awaitable<void> Berthd::watch_routes() {
  // Whoever flushes again and again fills no disk with it.
  static constexpr std::chrono::seconds kBetweenEvents{10};
  std::function<void(route::Router::TableNews)> on_news = [this, told = io::Steady::time_point{}, was_lost = false](const route::Router::TableNews& news) mutable {
    spdlog::log(news.lost ? spdlog::level::err : spdlog::level::warn, "routes: {}", news.what);
    const bool changed = news.lost != std::exchange(was_lost, news.lost);
    if (!changed && told != io::Steady::time_point{} && io::Steady::now() - told < kBetweenEvents) return;
    told = io::Steady::now();
    loop_.spawn("route event", tell(news.lost ? "route.lost" : "route.repaired", news.what));
  };
  co_await router_.watch(std::move(on_news));
}

/// Adds an event of the node.
awaitable<void> Berthd::tell(std::string kind, std::string reason) {
  store::Event event{.number = 0, .at = {}, .kind = std::move(kind), .app = {}, .data = {}};
  event.data["reason"] = as_utf8(reason);
  static_cast<void>(co_await add(std::move(event)));
}

awaitable<Result<void>> Berthd::add(store::Event event) {
  const auto write = [store = store_.get(), event = std::move(event)] { return store->add_event(event); };
  auto written = co_await looks_.run(write);
  co_return written;
}

void Berthd::end(Exit exit) {
  exit_ = exit;
  manager_.stopping();
  follower_.stop();
  deployer_.stop();
  loop_.stop();
}

}  // namespace berth
