#include "cli/doctor/checks.h"

namespace berth::cli::doctor {

Findings examine(const Subject& subject) {
  Findings all;
  const auto add = [&](const Findings& found) { all.insert(all.end(), found.begin(), found.end()); };
  add(check_daemon(subject, BERTH_VERSION));
  add(judge_kernel(kernel_facts(subject.root)));
  add(judge_worker(host::worker_user()));
  add(check_nftables(subject, can_route_by_port));
  add(judge_clock(clock_facts(subject)));
  add(check_disks(subject));
  add(check_certificates(subject));
  add(check_repository(subject));
  add(check_trust(subject));
  add(check_permissions(subject));
  add(check_database(subject));
  add(check_events(subject));
  add(check_log_places(subject));
  add(check_orphans(subject, present_rules));
  return all;
}

}  // namespace berth::cli::doctor
