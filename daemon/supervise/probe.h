#pragma once

#include <boost/asio/awaitable.hpp>

#include "daemon/supervise/probe_state.h"
#include "daemon/supervise/supervisor.h"

namespace berth::supervise {

/// Asks once: over the instance's own address, never the public one, or by a command run as the app with its environment. No answer, a
/// refusal and a malformed answer are findings, not errors. `cgroup`: the folder that a command enters, or empty. `app`: the instance's main process,
/// whose mounts a command sees where it has some of its own. What is needed of the arguments is copied before this returns.
boost::asio::awaitable<Finding> ask(const spec::Probe& probe, const InstancePlan& plan, const std::string& cgroup, pid_t app);

}  // namespace berth::supervise
