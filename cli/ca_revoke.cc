#include "cli/ca_revoke.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/core.h>

#include "cli/enrol/authority.h"
#include "cli/output/text.h"
#include "core/trust/time.h"

namespace berth::cli {
namespace {

using enrol::Authority;
using enrol::Issued;

constexpr std::int64_t kListDays = 30, kMostListDays = 3650;

struct CaRevokeOptions {
  std::vector<std::string> whom;
  std::string ca, reason = "unspecified";
  std::optional<std::int64_t> days;
};

struct CaCrlOptions {
  std::string folder;
  std::optional<std::int64_t> days;
};

Result<std::chrono::days> counts_of(const std::optional<std::int64_t>& said) {
  const std::int64_t days = said.value_or(kListDays);
  if (days < 1 || days > kMostListDays) return fail(Errc::usage, fmt::format("--days {}: 1 to {}", days, kMostListDays));
  return std::chrono::days(days);
}

std::string text_of(const Issued& one) {
  std::string names;
  for (const std::string& name : one.names) names += (names.empty() ? "" : ", ") + name;
  return fmt::format("{} ({}, until {})", printable(names), one.serial, trust::to_string(one.ends));
}

boost::json::object json_of(const Authority& authority, const enrol::Crl& crl) {
  return {{"file", authority.crl_file().string()}, {"number", crl.number}, {"next_update", trust::to_string(crl.next)}, {"revoked", crl.revoked}};
}

boost::json::array json_of(const std::vector<Issued>& all) {
  boost::json::array some;
  for (const Issued& one : all) some.push_back({{"serial", one.serial}, {"names", boost::json::array(one.names.begin(), one.names.end())}});
  return some;
}

void say_list(const Console& console, const Authority& authority, const enrol::Crl& crl) {
  console.line(fmt::format("{}: list {}, with {} certificate{}, counts until {}", authority.crl_file().string(), crl.number, crl.revoked, crl.revoked == 1 ? "" : "s", trust::to_string(crl.next)));
  console.note("Put it on the nodes, where client_crl_file of [api] says, by a rename; it counts from the next connection on. Write a new one by 'berth ca crl' before it ends.");
}

Result<Exit> revoke(const Console& console, const CaRevokeOptions& options) {
  if (options.ca.empty()) return fail(Errc::usage, "berth ca revoke: --ca DIR is missing: the folder that 'berth ca init' made");
  BERTH_TRY(const auto days, counts_of(options.days));
  BERTH_TRY(const auto reason, enrol::parse_reason(options.reason));
  BERTH_TRY(const Authority authority, Authority::open(options.ca));
  BERTH_TRY(const auto done, authority.revoke(options.whom, reason, days, std::chrono::system_clock::now()));
  if (console.json) {
    console.document(boost::json::object{{"revoked", json_of(done.revoked)}, {"already", json_of(done.already)}, {"crl", json_of(authority, done.crl)}});
    return Exit::ok;
  }
  for (const Issued& one : done.revoked) console.line("revoked " + text_of(one));
  for (const Issued& one : done.already) console.line("was revoked before: " + text_of(one));
  say_list(console, authority, done.crl);
  return Exit::ok;
}

Result<Exit> write_list(const Console& console, const CaCrlOptions& options) {
  BERTH_TRY(const auto days, counts_of(options.days));
  BERTH_TRY(const Authority authority, Authority::open(options.folder));
  BERTH_TRY(const auto crl, authority.write_crl(days, std::chrono::system_clock::now()));
  if (console.json) console.document(json_of(authority, crl));
  else say_list(console, authority, crl);
  return Exit::ok;
}

}  // namespace

Verb ca_revoke_verb() {
  auto o = std::make_shared<CaRevokeOptions>();
  return {.name = "revoke",
          .summary = "Revoke certificates, and write the list that says so",
          .text = "A name means all certificates that are for it and have not ended; a serial number, as 'berth ca list' shows it, means one. The list (crl.pem in the authority's folder, an X.509 CRL) "
                  "has to get to the nodes: whoever shows a certificate that is in it is refused there. 'berth ca sign' makes a new one for the same name, which counts. A reason is one of unspecified, "
                  "key-compromise, affiliation-changed, superseded, cessation-of-operation and privilege-withdrawn.",
          .examples = {"berth ca revoke alice@example.org --ca ./ca --reason cessation-of-operation", "berth ca revoke 4af3016b9c22d7705bd1e7a94c0f6e13 --ca ./ca --reason key-compromise # one of several"},
          .exits = {Exit::failed, Exit::not_found, Exit::permission},
          .arguments = {{"NAME|SERIAL...", "whose certificates, or which one; several for several", &o->whom}},
          .options = {{"--ca", "DIR", "the authority's folder", &o->ca, Completes::folder},
                      {"--reason", "REASON", "why (default: unspecified)", &o->reason, Completes::nothing,
                       "unspecified key-compromise affiliation-changed superseded cessation-of-operation privilege-withdrawn"},
                      {"--days", "N", "how long the list counts (default: 30)", &o->days}},
          .action = [o](Console& console) { return revoke(console, *o); }};
}

Verb ca_crl_verb() {
  auto o = std::make_shared<CaCrlOptions>();
  return {.name = "crl",
          .summary = "Write the list of revoked certificates anew, since it ends",
          .text = "Nodes that have client_crl_file refuse every client when the list has ended: write it, and bring it to them, well before that. It is crl.pem in the authority's folder, and empty as long as nothing was revoked.",
          .examples = {"berth ca crl ./ca", "berth ca crl ./ca --days 90"},
          .exits = {Exit::failed, Exit::not_found, Exit::permission},
          .arguments = {{"DIR", "the authority's folder", &o->folder, Completes::folder}},
          .options = {{"--days", "N", "how long it counts (default: 30)", &o->days}},
          .action = [o](Console& console) { return write_list(console, *o); }};
}

}  // namespace berth::cli
