#include <fmt/core.h>

#include "core/spec/rules.h"

namespace berth::spec {

void check_job(const Process& process, const Complaints& complaints) {
  if (!process.job) return;
  const Job& job = *process.job;
  constexpr const char* kNever = "makes no sense with type = \"job\": ";
  const auto refuse = [&](bool said, const char* key, const char* why) {
    if (said) complaints.add(key, std::string(kNever) + why);
  };
  const char* nobody_asks = "nobody waits until it is ready, and nobody is led to it";
  refuse(process.routing != Routing::none, process.routing == Routing::socket ? "socket" : "port", nobody_asks);
  refuse(!process.private_ports.empty(), "ports", nobody_asks);
  refuse(process.startup.has_value(), "startup", nobody_asks);
  refuse(process.readiness.has_value(), "readiness", nobody_asks);
  refuse(process.liveness.has_value(), "liveness", "'timeout' ends one that hangs");
  refuse(!process.after.empty(), "after", "it runs when the release serves");
  refuse(process.restart == Restart::always, "restart", "it runs to its end; \"on-failure\" tries it again");
  refuse(process.instances != 0, "instances", "one of it runs at a time");
  if (job.timeout < milliseconds(1)) complaints.add("timeout", "must be 1ms or more");
  if (job.retries < 0 || job.retries > kMostRetries) complaints.add("retries", fmt::format("must be from 0 to {}", kMostRetries));
}

}  // namespace berth::spec
