#pragma once

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "core/io/loop.h"
#include "daemon/api/api.h"
#include "daemon/deploy/story.h"

namespace berth::api {

/// Writes down what it is asked, and answers with what it was given, or with `error`.
class FakeOperations : public deploy::Operations {
 public:
  std::vector<std::string> calls;
  std::optional<Error> error;
  deploy::DeploymentStatus one;
  std::vector<deploy::DeploymentStatus> listed;  ///< newest first; empty: `one` is all there is
  deploy::DeploymentPlan planned;
  std::vector<deploy::AppStatus> apps;
  deploy::Releases on_node;
  std::map<std::string, std::vector<std::string>> in_repository;
  deploy::Collected removed;
  deploy::JobStatus a_job;
  std::vector<deploy::MetricsTarget> targets;
  deploy::Verified verdicts;
  deploy::Counts counted;
  std::optional<store::Drain> drain;
  bool is_ready = true;
  std::function<void()> on_change;  ///< is called by each change that is made

  using Deployment = Result<deploy::DeploymentStatus>;
  using Done = Result<void>;

  awaitable<Deployment> deploy(deploy::DeployRequest r) override {
    co_return say(fmt::format("deploy {}@{} env={} force={} key={} by={} why={}", r.app, r.release, r.environment, r.force, r.key, r.asked.by, r.asked.why), one);
  }
  awaitable<Result<deploy::DeploymentPlan>> plan(deploy::DeployRequest r) override {
    co_return say(fmt::format("plan {}@{} env={} force={}", r.app, r.release, r.environment, r.force), planned);
  }
  awaitable<Deployment> revert(deploy::RevertRequest r) override {
    co_return say(fmt::format("revert {} to={} keep_data={} why={}", r.app, r.to, r.keep_data, r.asked.why), one);
  }
  awaitable<Result<deploy::DeploymentPlan>> plan_revert(deploy::RevertRequest r) override {
    co_return say(fmt::format("plan revert {} to={} keep_data={}", r.app, r.to, r.keep_data), planned);
  }
  awaitable<Deployment> cancel(std::int64_t id, deploy::Asked asked) override { co_return say(fmt::format("cancel {} why={}", id, asked.why), one); }
  awaitable<Deployment> deployment(std::int64_t id) override { co_return say(fmt::format("deployment {}", id), one); }
  awaitable<Deployment> wait(std::int64_t id, deploy::WaitFor what) override {
    co_return say(fmt::format("wait {} {}ms decided={} after={}", id, what.at_most.count(), what.until_decided, what.after), one);
  }
  awaitable<Result<std::vector<deploy::DeploymentStatus>>> deployments(store::DeploymentQuery wanted) override {
    std::string call = fmt::format("deployments app={} most={}", wanted.app, wanted.most);
    if (wanted.before > 0) call += fmt::format(" before={}", wanted.before);
    if (!wanted.since.empty()) call += " since=" + wanted.since;
    if (!wanted.until.empty()) call += " until=" + wanted.until;
    if (listed.empty()) co_return say(std::move(call), std::vector{one});
    std::vector<deploy::DeploymentStatus> found;  // as the store does
    for (const auto& each : listed)
      if ((wanted.app.empty() || each.row.app == wanted.app) && (wanted.before == 0 || each.row.id < wanted.before) && found.size() < static_cast<std::size_t>(wanted.most)) found.push_back(each);
    co_return say(std::move(call), found);
  }
  awaitable<Done> hold(std::string app, deploy::Asked asked) override { co_return did(fmt::format("hold {} why={}", app, asked.why)); }
  awaitable<Done> mark(std::string app, std::string release, bool good, deploy::Asked asked) override {
    co_return did(fmt::format("mark {}@{} good={} why={}", app, release, good, asked.why));
  }
  awaitable<Done> drain_node(deploy::Asked asked) override { co_return did("drain node why=" + asked.why); }
  awaitable<Done> resume_node(deploy::Asked asked) override { co_return did("resume node why=" + asked.why); }
  std::string decision_of(const std::string& app) const override { return app == "gone" ? std::string() : app + decided; }
  std::string decided;
  awaitable<bool> knows_key(std::string app, std::string key) override { co_return app + " " + key == known_key; }
  std::string known_key;
  const std::optional<store::Drain>& drained() const override { return drain; }
  awaitable<Done> resume(std::string app, deploy::Asked asked) override { co_return did(fmt::format("resume {} why={}", app, asked.why)); }
  awaitable<Done> stop_app(InstanceSelector what, deploy::Asked asked) override { co_return did("stop " + text(what) + " why=" + asked.why); }
  awaitable<Done> start_app(InstanceSelector what, deploy::Asked asked) override { co_return did("start " + text(what) + " why=" + asked.why); }
  awaitable<Done> restart_app(InstanceSelector what, deploy::Asked asked) override { co_return did("restart " + text(what) + " why=" + asked.why); }
  awaitable<Done> scale(std::string app, std::string process, int instances, deploy::Asked asked) override {
    co_return did(fmt::format("scale {}/{}={} why={}", app, process, instances, asked.why));
  }
  awaitable<Done> pin(std::string app, std::string release, bool pinned, deploy::Asked) override {
    co_return did(fmt::format("pin {}@{} {}", app, release, pinned));
  }
  awaitable<Done> remove(std::string app, bool purge, bool force, deploy::Asked asked) override {
    co_return did(fmt::format("remove {} purge={} why={}{}", app, purge, asked.why, force ? " by force" : ""));
  }
  awaitable<Result<deploy::Collected>> collect(std::string app, bool dry_run, deploy::Asked) override { co_return say("collect " + app + (dry_run ? " dry" : ""), removed); }
  awaitable<Result<store::Import>> import(deploy::ImportRequest r) override {
    co_return say(fmt::format("import {} allow_expired={} why={}", r.path, r.allow_expired, r.asked.why), store::Import{});
  }
  awaitable<Result<deploy::Verified>> verify(deploy::VerifyRequest r) override {
    co_return say(fmt::format("verify app={} release={} all={}", r.app, r.release, r.all), verdicts);
  }
  awaitable<Result<deploy::Releases>> releases(std::string app) override { co_return say("releases " + app, on_node); }
  awaitable<Result<std::map<std::string, std::vector<std::string>>>> repository_apps() override { co_return say("repository apps", in_repository); }
  awaitable<Result<std::vector<deploy::AppStatus>>> status() override { co_return say("status", apps); }
  awaitable<Result<deploy::AppStatus>> status(std::string app) override { co_return say("status " + app, apps.empty() ? deploy::AppStatus{} : apps.front()); }
  awaitable<Result<deploy::Story>> story(std::string app) override { co_return say("story " + app, deploy::Story{.app = app}); }
  awaitable<Result<deploy::ExecPlace>> exec(deploy::ExecRequest r) override {
    const deploy::ExecPlace place{.id = {r.app, "exec", 1001, "v2"}, .process = "web", .socket = "/run/berth/exec/1001.sock"};
    co_return say(fmt::format("exec {}/{}@{} '{}' term={} uid={} why={}", r.app, r.process, r.release, fmt::join(r.command, "' '"), r.term, r.uid, r.asked.why), place);
  }
  awaitable<Result<deploy::ExecStream>> exec_stream(deploy::ExecRequest r) override {
    calls.push_back(fmt::format("exec stream {}/{}.{}@{} '{}' term={} {} why={}", r.app, r.process, r.number, r.release, fmt::join(r.command, "' '"), r.term,
                                r.terminal ? fmt::format("{}x{}", r.terminal->rows, r.terminal->columns) : "no terminal", r.asked.why));
    if (error) co_return std::unexpected(*error);
    deploy::ExecStream stream{.id = {r.app, "exec", 1001, "v2"}, .process = "web", .ends = {}};
    co_return std::move(stream);
  }
  awaitable<Result<deploy::JobStatus>> run_job(std::string app, std::string process, deploy::Asked asked) override {
    co_return say(fmt::format("run job {}/{} why={}", app, process, asked.why), a_job);
  }
  awaitable<Result<deploy::JobStatus>> job(deploy::WaitForJob what) override {
    co_return say(fmt::format("job {}/{} run={} {}ms", what.app, what.process, what.run, what.at_most.count()), a_job);
  }
  awaitable<std::vector<deploy::MetricsTarget>> metrics_targets() override { co_return targets; }
  awaitable<std::vector<std::shared_ptr<deploy::AppPage>>> scrape_apps() override { co_return std::vector<std::shared_ptr<deploy::AppPage>>(); }
  const deploy::Counts& counts() override { return counted; }
  bool ready() const override { return is_ready; }

 private:
  static std::string text(const InstanceSelector& what) {
    return fmt::format("{}/{}.{}", what.app, what.process.value_or("-"), what.number.value_or(0));
  }
  template <class T>
  Result<T> say(std::string call, T value) {
    calls.push_back(std::move(call));
    if (error) return std::unexpected(*error);
    return value;
  }
  Done did(std::string call) {
    calls.push_back(std::move(call));
    if (error) return std::unexpected(*error);
    if (on_change) on_change();
    return {};
  }
};

/// Some pieces, and then the end, or the failure that a log has which was removed.
class FakeFeed : public LogFeed {
 public:
  std::vector<std::string> pieces{"{\"text\": \"one\"}\n", "{\"text\": \"two\"}\n"};
  int waited = 0;

  awaitable<Result<Piece>> next() override {
    Piece piece;
    piece.is_last = pieces.empty();
    if (piece.is_last) co_return piece;
    piece.lines = pieces.front();
    pieces.erase(pieces.begin());
    co_return piece;
  }
  awaitable<Result<bool>> grown(std::chrono::milliseconds) override {
    if (++waited > 1) co_return fail(Errc::not_found, "the logs are gone");
    co_return false;
  }
};

class FakeNode : public Node {
 public:
  metrics::NodeStatus node;
  std::vector<std::string> calls;
  Caller who{.name = "root (uid 0)", .role = Role::admin, .apps = {}};
  bool becomes_ready = true;
  bool happens = true;  ///< what is asked for changes something

  awaitable<metrics::NodeStatus> status() override { co_return node; }
  awaitable<Result<std::vector<store::Event>>> events(std::int64_t first, int most, std::string app) override {
    calls.push_back(fmt::format("events from={} most={} app={}", first, most, app));
    if (!told.empty()) {
      std::vector<store::Event> found;
      for (const store::Event& event : told)
        if (event.number >= first && (app.empty() || event.app == app) && static_cast<int>(found.size()) < most) found.push_back(event);
      co_return found;
    }
    std::vector<store::Event> events{{.number = 1, .at = "2026-11-24T09:00:00.000000Z", .kind = "node.started", .data = {{"version", "0.1.0"}}}};
    co_return events;
  }
  awaitable<std::int64_t> first_of_newest(int most, std::vector<std::string> apps) override {
    calls.push_back(fmt::format("first of newest {} of [{}]", most, fmt::join(apps, " ")));
    std::int64_t first = last_event() + 1;
    for (auto event = told.rbegin(); event != told.rend() && most > 0; ++event) {
      if (!apps.empty() && std::ranges::find(apps, event->app) == apps.end()) continue;
      first = event->number;
      --most;
    }
    co_return first;
  }
  awaitable<bool> happened_since(std::int64_t, std::string) override { co_return happens; }
  std::int64_t last_event() override { return told.empty() ? 1 : told.back().number; }
  awaitable<Result<void>> test_webhook(std::string name, deploy::Asked asked) override {
    calls.push_back(fmt::format("test webhook {} why={}", name, asked.why));
    if (name == "none") co_return fail(Errc::not_found, "there is no webhook 'none'");
    co_return Result<void>();
  }
  awaitable<Result<Reloaded>> reload(deploy::Asked asked) override {
    calls.push_back(fmt::format("reload by={} why={}", asked.by, asked.why));
    if (!wrong_config.empty()) co_return fail(Errc::conflict, wrong_config);
    Reloaded done{.files = {"/etc/berth/berthd.toml"}, .until_restart = {"[repository]"}, .then = then};
    co_return done;
  }
  std::string wrong_config;
  std::function<void()> then;
  awaitable<Result<std::shared_ptr<LogFeed>>> logs(logs::LogQuery query) override {
    calls.push_back(fmt::format("logs of {} follow={}", query.selector.app, query.follow));
    if (!feed) co_return fail(Errc::not_found, no_logs);
    co_return feed;
  }
  awaitable<std::string> write_aside(std::function<std::string()> write) override { co_return write(); }
  awaitable<void> event_after(std::int64_t, std::chrono::milliseconds) override {
    ++waited;
    if (on_wait) on_wait();
    co_await io::sleep_for(std::chrono::milliseconds(1));
  }
  int waited = 0;  ///< for an event
  std::function<void()> on_wait;
  std::shared_ptr<void> place(const Caller&) override { return has_place ? std::make_shared<int>(0) : nullptr; }
  void reader_dropped() override { ++dropped; }
  int dropped = 0;
  std::shared_ptr<void> exec_place(const Caller&) override { return has_exec_place ? std::make_shared<int>(0) : nullptr; }
  std::shared_ptr<void> page_place() override { return has_page_place ? std::make_shared<int>(0) : nullptr; }
  awaitable<Result<Token>> token() override { co_return wanted_token; }
  Result<Token> wanted_token = Token();
  const PageAccess* page() const override { return has_page ? &access : nullptr; }
  PageAccess access{.names = {"edge-1"}};
  const PageAccess* status_access() const override { return !wanted_token || *wanted_token != nullptr ? nullptr : &access; }
  bool has_page = true, has_page_place = true;
  std::shared_ptr<LogFeed> feed = std::make_shared<FakeFeed>();
  std::string no_logs = "no logs";
  bool has_place = true, has_exec_place = true;
  awaitable<std::string> metrics() override { co_return "berth_ready 1\n"; }
  awaitable<std::shared_ptr<const std::string>> app_metrics() override { co_return std::make_shared<const std::string>(told_by_apps); }
  std::vector<store::Event> told;  ///< in the place of a usual one
  std::string told_by_apps = "requests_total{app=\"web\"} 1\n";
  awaitable<bool> until_ready(std::chrono::milliseconds) override {
    calls.emplace_back("until ready");
    co_return becomes_ready;
  }
  awaitable<Caller> caller(io::Peer) override { co_return who; }
};

}  // namespace berth::api
