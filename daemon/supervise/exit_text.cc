#include "daemon/supervise/exit_text.h"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <string_view>

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/files/fd.h"
#include "daemon/keeper/launch_file.h"

namespace berth::supervise {
namespace {

std::string describe_status(int status) {
  if (WIFEXITED(status)) return fmt::format("exited with {}", WEXITSTATUS(status));
  return fmt::format("killed by SIG{}{}", spec::signal_name(WTERMSIG(status)), WCOREDUMP(status) ? " (core dumped)" : "");
}

/// The interpreter of a script that is there itself, by its first line; empty where the program is none, or its interpreter is there.
std::string missing_interpreter(const std::string& program, const std::string& root) {
  const Fd file(::open((root + program).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  char head[256];
  const ssize_t count = file ? ::read(file.get(), head, sizeof head) : -1;
  if (count < 3 || head[0] != '#' || head[1] != '!') return {};
  std::string_view line(head + 2, static_cast<std::size_t>(count) - 2);
  line = line.substr(0, line.find('\n'));
  line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
  const std::string interpreter(line.substr(0, line.find_first_of(" \t")));
  return interpreter.starts_with('/') && ::access((root + interpreter).c_str(), F_OK) != 0 ? interpreter : std::string();
}

std::string describe_not_started(const keeper::LastExit& exit, const std::string& program, const std::string& root) {
  const std::string interpreter = exit.stage == keeper::Stage::execute && exit.error == ENOENT ? missing_interpreter(program, root) : std::string();
  if (!interpreter.empty()) return fmt::format("could not execute {}: its interpreter {} is not there", program, interpreter);
  return "could not " + keeper::describe_failure(static_cast<int>(exit.stage), exit.error, program);
}

/// "; it did not end …", behind `sign`, where it was killed for that.
std::string how_it_was_killed(const keeper::LastExit& exit, std::string_view sign) {
  if (exit.killed == 0) return {};
  return fmt::format("{} it did not end within {} of being asked to, and was killed", sign, spec::to_string(std::chrono::milliseconds(exit.error)));
}

std::string describe(const keeper::LastExit& exit, const std::string& program, const std::string& root) {
  switch (exit.cause) {
    case keeper::Cause::liveness: return exit.reason + how_it_was_killed(exit, ";");
    case keeper::Cause::oom: return "oom";
    case keeper::Cause::asked: return *exit.reason ? fmt::format("restarted: {}{}", exit.reason, how_it_was_killed(exit, ";")) : "restarted" + how_it_was_killed(exit, ":");
    case keeper::Cause::stopped: return "stopped" + how_it_was_killed(exit, ":");
    case keeper::Cause::not_started: return describe_not_started(exit, program, root);
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

Exit describe_exit(const keeper::LastExit& exit, const std::string& program, const std::string& root) {
  return {.status = exit.status, .reason = describe(exit, program, root), .at = time_text(exit.at_ms), .ran = std::chrono::milliseconds(exit.ran_ms), .kind = kind_of(exit.cause), .killed = exit.killed != 0};
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
