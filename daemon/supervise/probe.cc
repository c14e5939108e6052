#include "daemon/supervise/probe.h"

#include <fmt/core.h>
#include <sys/wait.h>

#include "core/io/child.h"
#include "core/io/grpc_health.h"
#include "core/spec/capabilities.h"
#include "daemon/supervise/instance.h"
#include "daemon/supervise/mount_namespace.h"

namespace berth::supervise {
namespace {

constexpr std::size_t kMostBody = 10u << 10;  ///< is read of an answer, as by the kubelet: the status decides

boost::asio::awaitable<Finding> ask_http(spec::Probe probe, io::Endpoint to) {
  io::HttpRequest request{
      .to = std::move(to), .target = probe.path, .deadline = probe.timeout, .unverified_tls = probe.by_tls, .most_body = kMostBody, .cut_body = true};
  for (const auto& [name, value] : probe.headers) request.headers[name] = value;
  const auto answer = co_await io::http_ask(std::move(request));
  if (!answer) co_return Finding{.healthy = false, .reason = answer.error().message};
  const bool healthy = probe.lowest <= answer->status && answer->status <= probe.highest;
  co_return Finding{.healthy = healthy, .reason = fmt::format("{} from {}", answer->status, probe.path)};
}

boost::asio::awaitable<Finding> ask_tcp(io::milliseconds timeout, io::Endpoint to, bool is_port) {
  const auto connected = co_await io::tcp_connect(std::move(to), timeout);
  if (!connected) {
    std::string reason = connected.error().message;
    if (is_port && connected.error().code == Errc::refused) reason += " (the app must listen on the number in $PORT)";
    co_return Finding{.healthy = false, .reason = std::move(reason)};
  }
  co_return Finding{.healthy = true, .reason = "connected"};
}

boost::asio::awaitable<Finding> ask_grpc(spec::Probe probe, io::Endpoint to) {
  io::GrpcHealthRequest request{.to = std::move(to), .service = probe.service, .deadline = probe.timeout};
  const auto serving = co_await io::grpc_health(std::move(request));
  if (!serving) co_return Finding{.healthy = false, .reason = serving.error().message};
  const std::string whose = probe.service.empty() ? std::string() : " from " + probe.service;
  co_return Finding{.healthy = *serving == io::Serving::serving, .reason = std::string(io::to_string(*serving)) + whose};
}

/// The last line of what a command said.
std::string last_line(std::string_view output) {
  while (!output.empty() && (output.back() == '\n' || output.back() == '\r')) output.remove_suffix(1);
  const auto newline = output.rfind('\n');
  if (newline != std::string_view::npos) output.remove_prefix(newline + 1);
  return std::string(output.substr(0, 200));
}

boost::asio::awaitable<Finding> ask_command(spec::Probe probe, InstancePlan plan, std::string cgroup, pid_t app) {
  const bool has_mounts = !plan.root.empty() || !plan.confinement.empty();
  Fd mounts;
  if (has_mounts) mounts = mount_namespace_of(app);
  if (has_mounts && !mounts) co_return Finding{.healthy = false, .reason = "it has no process whose file system a command could see"};
  const auto redact = std::move(plan.redact);
  const std::string name = probe.command.empty() ? std::string() : probe.command[0];
  io::ChildSpec child{.argv = std::move(probe.command),
                      .environment = std::move(plan.environment),
                      .directory = std::move(plan.directory),
                      .uid = plan.uid,
                      .gid = plan.gid,
                      .groups = std::move(plan.groups),
                      .bounding = spec::bounding_set(plan.sandbox, plan.uid == 0),
                      .may_gain_privileges = may_gain_privileges(plan),
                      .mount_namespace = mounts.get(),
                      .cgroup_procs = cgroup.empty() ? std::string() : cgroup + "/cgroup.procs",
                      .resources = resources_of(plan),
                      .nice = plan.limits.nice,
                      .oom_score_adjust = plan.limits.oom_score_adjust,
                      .deadline = probe.timeout};
  const auto result = co_await io::run_child(std::move(child));
  if (!result) co_return Finding{.healthy = false, .reason = result.error().message};
  if (result->timed_out) co_return Finding{.healthy = false, .reason = fmt::format("{} took over {}", name, spec::to_string(probe.timeout))};
  if (WIFEXITED(result->status) && WEXITSTATUS(result->status) == 0) co_return Finding{.healthy = true, .reason = name + " exited with 0"};
  const auto how = WIFEXITED(result->status) ? fmt::format("exited with {}", WEXITSTATUS(result->status))
                                             : fmt::format("was killed by SIG{}", spec::signal_name(WTERMSIG(result->status)));
  std::string output = result->output;
  if (redact) redact(output);
  const auto said = last_line(output);
  co_return Finding{.healthy = false, .reason = fmt::format("{} {}{}{}", name, how, said.empty() ? "" : ": ", said)};
}

boost::asio::awaitable<Finding> unasked(std::string why) { co_return Finding{.healthy = false, .reason = std::move(why)}; }

}  // namespace

boost::asio::awaitable<Finding> ask(const spec::Probe& probe, const InstancePlan& plan, const std::string& cgroup, pid_t app) {
  if (probe.kind == spec::ProbeKind::exec) return ask_command(probe, plan, cgroup, app);
  std::optional<io::Endpoint> to = plan.probe_endpoint;
  if (!probe.port.empty()) {
    const auto named = plan.private_ports.find(probe.port);
    if (named == plan.private_ports.end()) return unasked("it has no port " + probe.port);
    to = io::Endpoint{.address = "127.0.0.1", .port = named->second};
  }
  if (!to) return unasked("it has no address that a probe could ask");
  if (probe.kind == spec::ProbeKind::tcp) return ask_tcp(probe.timeout, std::move(*to), plan.sockets.empty());
  if (probe.kind == spec::ProbeKind::grpc) return ask_grpc(probe, std::move(*to));
  return ask_http(probe, std::move(*to));
}

}  // namespace berth::supervise
