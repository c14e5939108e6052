#include "daemon/supervise/exit_text.h"

#include <ctime>

#include <fmt/core.h>
#include <sys/wait.h>

#include "daemon/keeper/launch_file.h"

namespace berth::supervise {
namespace {

std::string describe_status(int status) {
  if (WIFEXITED(status)) return fmt::format("exited with {}", WEXITSTATUS(status));
  return fmt::format("killed by SIG{}{}", spec::signal_name(WTERMSIG(status)), WCOREDUMP(status) ? " (core dumped)" : "");
}

std::string describe(const keeper::LastExit& exit, const std::string& program) {
  switch (exit.cause) {
    case keeper::Cause::liveness: return exit.reason;
    case keeper::Cause::oom: return "oom";
    case keeper::Cause::asked: return *exit.reason ? fmt::format("restarted: {}", exit.reason) : "restarted";
    case keeper::Cause::stopped: return "stopped";
    case keeper::Cause::not_started: return "could not " + keeper::describe_failure(static_cast<int>(exit.stage), exit.error, program);
    case keeper::Cause::unknown: return "ended, how is not known: its keeper had been killed before";
    case keeper::Cause::none:
    case keeper::Cause::exit:
    case keeper::Cause::signal: break;
  }
  return describe_status(exit.status);
}

constexpr std::pair<keeper::Cause, const char*> kNames[] = {{keeper::Cause::exit, "exit"},
                                                            {keeper::Cause::signal, "signal"},
                                                            {keeper::Cause::liveness, "liveness"},
                                                            {keeper::Cause::oom, "oom"},
                                                            {keeper::Cause::not_started, "not_started"}};

std::string kind_of(keeper::Cause cause) {
  if (cause == keeper::Cause::unknown) return "unknown";
  for (const auto& [known, name] : kNames)
    if (known == cause) return name;
  return {};
}

}  // namespace

Exit describe_exit(const keeper::LastExit& exit, const std::string& program) {
  return {.status = exit.status, .reason = describe(exit, program), .at = time_text(exit.at_ms), .ran = std::chrono::milliseconds(exit.ran_ms), .kind = kind_of(exit.cause)};
}

std::map<std::string, std::int64_t> count_exits(const keeper::State& state) {
  std::map<std::string, std::int64_t> counts;
  for (const auto& [cause, name] : kNames) {
    const auto count = state.exits[static_cast<int>(cause)];
    if (count > 0) counts[name] = static_cast<std::int64_t>(count);
  }
  if (state.exits_unknown > 0) counts["unknown"] = static_cast<std::int64_t>(state.exits_unknown);
  return counts;
}

std::string time_text(std::int64_t ms_since_1970) {
  if (ms_since_1970 == 0) return {};
  const std::time_t seconds = ms_since_1970 / 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
                     parts.tm_min, parts.tm_sec, ms_since_1970 % 1000);
}

Phase phase_of(keeper::Phase phase) {
  switch (phase) {
    case keeper::Phase::blank:
    case keeper::Phase::starting: return Phase::starting;
    case keeper::Phase::running: return Phase::running;
    case keeper::Phase::clearing:
    case keeper::Phase::waiting: return Phase::waiting;
    case keeper::Phase::ended: return Phase::ended;
    case keeper::Phase::stopping:
    case keeper::Phase::holding: return Phase::stopping;
  }
  return Phase::lost;
}

std::string_view to_string(Phase phase) {
  switch (phase) {
    case Phase::starting: return "starting";
    case Phase::running: return "running";
    case Phase::waiting: return "waiting";
    case Phase::ended: return "ended";
    case Phase::stopping: return "stopping";
    case Phase::lost: return "lost";
  }
  return "lost";
}

}  // namespace berth::supervise
