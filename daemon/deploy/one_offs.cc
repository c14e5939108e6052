#include "daemon/deploy/one_offs.h"

#include <algorithm>

#include <fmt/core.h>

#include "core/logs/record_time.h"
#include "daemon/deploy/app_facts.h"
#include "daemon/deploy/instance_plan.h"
#include "daemon/supervise/process_tree.h"

namespace berth::deploy {
namespace {

using namespace std::chrono_literals;
using io::Steady;
using supervise::Phase;

}  // namespace

logs::Time moment_of(const std::string& text) { return logs::parse_rfc3339(text).value_or(logs::Time()); }

bool succeeded(const supervise::Exit& exit) { return exit.kind == "exit" && exit.status == 0; }

std::string result_of(const supervise::Exit& exit) {
  if (succeeded(exit)) return std::string(kOk);
  if (exit.kind.empty()) return "was stopped from outside";
  if (exit.kind == "oom") return "was killed by the kernel for its memory";
  return exit.kind == "signal" ? "was " + exit.reason : exit.reason;
}

std::string without_name(std::string message, const InstanceId& id) {
  const std::string name = to_string(id) + ": ";
  return message.starts_with(name) ? message.substr(name.size()) : message;
}

awaitable<Result<void>> OneOffs::start(AppPtr app, ManifestPtr manifest, InstanceId id, int tried) {
  const auto compose = [node = &node_.options.node, manifest, id, uid = app->row.uid]() -> Result<supervise::InstancePlan> {
    BERTH_TRY(const RunAs who, run_as(*node, *manifest, uid));
    BERTH_TRY(const auto secrets, resolve_secrets(*node, *manifest));
    const auto environment = environment_of(*node, *manifest, id, 0, secrets);
    BERTH_TRY(auto plan, spec::is_hook_name(id.process) ? plan_hook(*node, *manifest, id, who, environment) : plan_job(*node, *manifest, id, who, environment));
    BERTH_CHECK(prepare_folders(*node, *manifest, id, who, environment, secrets));
    return plan;
  };
  auto plan = co_await node_.pool.run(compose);
  if (!plan) co_return std::unexpected(plan.error());
  plan->retries = std::max<std::int64_t>(plan->retries - tried, 0);
  if (app->run) plan->deployment = app->run->row.id;
  auto started = co_await node_.supervisor.ensure(std::move(*plan));
  co_return started;
}

Moment OneOffs::began_of(const InstanceId& id, const std::string& began_at) const {
  const auto status = node_.supervisor.status(id);
  if (const auto age = status ? supervise::age_of(status->keeper_pid) : std::nullopt) return Steady::now() - *age;
  const auto now = std::chrono::time_point_cast<logs::Time::duration>(std::chrono::system_clock::now());
  return Steady::now() - std::max(std::chrono::duration_cast<milliseconds>(now - moment_of(began_at)), 0ms);
}

awaitable<Result<std::string>> OneOffs::follow(AppPtr app, InstanceId id, milliseconds timeout, Moment began, std::function<std::string()> unwanted) {
  const auto end = began + timeout;
  for (;;) {
    if (node_.closed) co_return fail(Errc::cancelled, "berthd stops");
    const auto status = node_.supervisor.status(id);
    const bool over = !status || status->phase == Phase::ended || status->phase == Phase::lost;
    // Of one whose keeper is gone only the first try is known to have been the last.
    const bool told = status && status->last_exit && (status->phase == Phase::ended || status->restarts == 0);
    if (over && told) co_return result_of(*status->last_exit);
    if (over) {
      co_await stop(app, id);
      if (node_.closed) co_return fail(Errc::cancelled, "berthd stops");
      co_return std::string(kCutOff);
    }
    const std::string why = unwanted();
    const auto left = std::chrono::ceil<milliseconds>(end - Steady::now());
    if (!why.empty() || left <= 0ms) {
      co_await stop(app, id);
      if (node_.closed) co_return fail(Errc::cancelled, "berthd stops");
      if (!why.empty()) co_return why;
      co_return fmt::format("did not end within {}, and was stopped", spec::to_string(timeout));
    }
    co_await app->changed.wait(left);
  }
}

awaitable<void> OneOffs::stop(AppPtr app, InstanceId id) {
  const auto stopped = co_await node_.supervisor.stop(id);
  if (node_.closed) co_return;
  if (!stopped) note_problem(*app, stopped.error().message);
  const auto remove = [this, id] { return remove_folders(node_.options.node, id); };
  const auto removed = co_await node_.pool.run(remove);
  if (!removed) note_problem(*app, removed.error().message);
}

}  // namespace berth::deploy
