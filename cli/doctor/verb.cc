#include <algorithm>
#include <memory>

#include <fmt/core.h>
#include <unistd.h>

#include "cli/doctor/bundle.h"
#include "cli/doctor/checks.h"
#include "cli/verbs.h"
#include "core/trust/time.h"

namespace berth::cli {
namespace {

using doctor::Finding;
using doctor::Findings;
using doctor::Level;

struct DoctorOptions {
  std::string config, bundle, log;
};

std::string summary_of(const Findings& findings) {
  const auto count = [&](Level level) { return std::ranges::count(findings, level, &Finding::level); };
  const auto errors = count(Level::error), warnings = count(Level::warning);
  return fmt::format("{} error{}, {} warning{}, {} well.", errors, errors == 1 ? "" : "s", warnings, warnings == 1 ? "" : "s", count(Level::ok));
}

Findings wrong_among(Findings findings) {
  std::erase_if(findings, [](const Finding& finding) { return finding.level == Level::ok; });
  return findings;
}

json::object document_of(const doctor::Subject& subject, const Findings& findings) {
  const auto count = [&](Level level) { return std::ranges::count(findings, level, &Finding::level); };
  return {{"node", subject.config ? subject.config->node : std::string()},
          {"version", BERTH_VERSION},
          {"at", trust::to_string(subject.now)},
          {"errors", count(Level::error)},
          {"warnings", count(Level::warning)},
          {"findings", doctor::to_json(findings)}};
}

Result<Exit> examine(const Console& console, const DoctorOptions& options) {
  if (!options.log.empty() && options.bundle.empty()) return fail(Errc::usage, "berth doctor: --log is for --bundle");
  if (!options.bundle.empty()) BERTH_CHECK(doctor::check_bundle(options.bundle, options.log, ::geteuid() == 0));
  const doctor::Subject subject = doctor::read_subject(console, options.config);
  const Findings findings = doctor::examine(subject);
  const json::object document = document_of(subject, findings);
  if (console.json) {
    console.document(document);
  } else {
    console.print(doctor::to_text(console.quiet ? wrong_among(findings) : findings, console.colour));
    console.note(summary_of(findings));
  }
  if (!options.bundle.empty()) {
    BERTH_CHECK(doctor::write_bundle(options.bundle, doctor::bundle_members(subject, json::text(document), options.log), subject.now));
    console.note(fmt::format("{}: configuration, status, events, berthd's log, versions and the above, without secrets that this node knows of. Look it through before you give it away.", options.bundle));
  }
  return doctor::worst_of(findings) == Level::error ? Exit::failed : Exit::ok;
}

}  // namespace

Verb doctor_verb() {
  auto o = std::make_shared<DoctorOptions>();
  return {
      .name = "doctor",
      .summary = "Look over this node, and say what is wrong with it and what to do",
      .text = "It looks at the configuration, berthd and its sinks, the kernel, nftables, the clock, disks, certificates, the repository's metadata, permissions, the database, releases "
              "that changed or are rejected, the log of events, and at what belongs to nobody. It changes nothing, and does as much as it can while berthd is down. Be root: what it may not read "
              "is a warning; -q leaves out what is well. --bundle packs what somebody needs who helps from afar: that, the configuration, status, the last events, and berthd's log of the journal (or --log), with what looks "
              "like a secret taken out.",
      .examples = {"berth doctor", "berth doctor --json", "berth doctor --bundle /root/edge-1.tar.zst # for whoever helps from afar"},
      .exits = {Exit::failed, Exit::not_found, Exit::permission, Exit::conflict},
      .options = {{"--config", "FILE", "berthd's configuration (default: that of the berthd that answers, else of the one beside this program)", &o->config, Completes::file},
                  {"--bundle", "FILE", "also pack it all into a new file, .tar.zst or .tar.gz, that root alone can read", &o->bundle, Completes::file},
                  {"--log", "FILE", "with --bundle: the file of berthd's log, where it is not in the journal", &o->log, Completes::file}},
      .action = [o](Console& console) { return examine(console, *o); },
      .exit_texts = {{"0", "no error was found; there may be warnings"}, {"1", "an error was found, or the bundle cannot be written"}, {"3", "the file of --log, or the bundle's folder, is not there"}, {"7", "--bundle, and you are not root"}, {"8", "the bundle's file is there already"}},
  };
}

}  // namespace berth::cli
