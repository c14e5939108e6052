#include <fmt/core.h>

#include "cli/doctor/checks.h"
#include "cli/json_view.h"

namespace berth::cli::doctor {
namespace {

constexpr std::int64_t kMuchBehind = 300;  ///< seconds

/// "1 entry", "2 entries".
std::string counted(std::int64_t count, std::string_view one, std::string_view several) { return fmt::format("{} {}", count, count == 1 ? one : several); }

/// ": " and why entries were refused for good; of a berthd that does not keep that, what is said of its last error.
std::string refused_why(const json::value& sink) {
  const std::string kept = text_of(sink, "refused_why"), why = kept.empty() ? text_of(sink, "last_error") : kept;
  return why.empty() ? "; berthd's log says why" : ": " + why;
}

constexpr const char* kAsRoot = "ask again as root: sudo berth doctor";

void check_config(const Subject& subject, Findings& findings) {
  if (!subject.config && subject.config_is_closed) {
    findings.push_back({Level::warning, "configuration", subject.config_trouble, "whether it is right is not known, nor where this node's folders are if berthd cannot be asked", kAsRoot});
    return;
  }
  const std::string why = fmt::format("a berthd that is started with it does not run{}", subject.status ? "; the one that runs goes on with what it read before" : "");
  std::error_code ignored;
  if (!subject.config && fs::status(subject.config_file, ignored).type() == fs::file_type::not_found) {
    findings.push_back({Level::error, "configuration", subject.config_trouble, why, "put the file back; or, where berthd is started with another one, name that: berth doctor --config FILE"});
    return;
  }
  if (!subject.config) {
    findings.push_back({Level::error, "configuration", subject.config_trouble, why, "mend the file: berthd --check says what is wrong; berth doctor --config FILE names another one"});
    return;
  }
  const auto* refused = subject.status ? member(*subject.status, "config_refused") : nullptr;
  if (refused != nullptr && refused->is_object())
    findings.push_back({Level::error, "configuration", fmt::format("berthd refused it at {}: {}", text_of(*refused, "at"), text_of(*refused, "reason")), "berthd goes on with what it read before, and a restart fails",
                        "mend the file (berthd --check), then systemctl reload berthd"});
  else
    findings.push_back({Level::ok, "configuration", fmt::format("{}: node {}, environment {}", config::text_of(subject.config->files), subject.config->node, subject.config->environment)});
}

void check_self(const json::value& status, const std::string& version, Findings& findings) {
  const std::size_t before = findings.size();
  const auto say = [&](Level level, std::string seen, std::string why, std::string remedy) { findings.push_back({level, "berthd", std::move(seen), std::move(why), std::move(remedy)}); };
  if (const std::string its = text_of(status, "version"); its != version)
    say(Level::warning, fmt::format("berthd is {}, and this command line {}", its, version), "one of them knows things that the other does not", "install both of one version, and systemctl restart berthd, which stops no app");
  if (!truth_of(status, "ready")) say(Level::warning, "berthd still takes over what ran", "changes wait until it has", "ask again in a moment; berth status says what it waits for");
  if (!truth_of(status, "limits_enforced")) say(Level::warning, "berthd does not enforce limits", "an app that takes all memory takes it from the others", "run berthd by systemd, or mount cgroup2 where it may write");
  if (const auto* remote = member(status, "remote_api"); remote != nullptr && remote->is_object() && !text_of(*remote, "problem").empty())
    say(Level::error, "the API at " + text_of(*remote, "listen") + ": " + text_of(*remote, "problem"),
        text_of(*remote, "problem").find("client_crl_file") != std::string::npos ? "nobody can tell which clients were revoked, and so they are refused" :
        text_of(*remote, "certificate_expires").empty() ? "nobody reaches this node from elsewhere" : "the certificate before still serves; after a restart of berthd, or when that ends, nobody reaches this node from elsewhere", "mend the files that [api] names; they are looked at again without a restart");
  if (const auto* metrics = member(status, "metrics_listener"); metrics != nullptr && metrics->is_object() && !text_of(*metrics, "problem").empty())
    say(Level::error, "the metrics at " + text_of(*metrics, "listen") + ": " + text_of(*metrics, "problem"), "nobody may see how this node is", "mend what [metrics] names; it is looked at again without a restart");
  if (const auto* drained = member(status, "drained"); drained != nullptr && drained->is_object())
    say(Level::warning, fmt::format("the node is drained since {} by {}: {}", text_of(*drained, "at"), text_of(*drained, "by"), text_of(*drained, "why")), "no app runs, and no deployment is taken", "berth node resume");
  if (findings.size() == before) say(Level::ok, fmt::format("berthd {} answers, since {}", text_of(status, "version"), text_of(status, "since")), {}, {});
}

void check_sinks(const json::value& status, Findings& findings) {
  const auto& sinks = list_of(status, "sinks");
  const std::size_t before = findings.size();
  for (const auto& sink : sinks) {
    const std::string name = text_of(sink, "sink"), since = text_of(sink, "failing_since"), error = text_of(sink, "last_error");
    const auto* lag = member(sink, "lag_seconds");
    const std::int64_t behind = lag == nullptr ? 0 : lag->is_double() ? static_cast<std::int64_t>(lag->get_double()) : lag->is_int64() ? lag->get_int64() : 0;
    if (!since.empty())
      findings.push_back({Level::error, "sinks", fmt::format("{} takes nothing since {}: {}", name, since, error), "logs wait on this node, and are lost when [logs] keep_bytes of their app is full", "mend what it says; nothing is to be done here afterwards (docs/sinks.md)"});
    else if (behind > kMuchBehind)
      findings.push_back({Level::warning, "sinks", fmt::format("{} is {} s behind", name, behind), "logs wait on this node, and are lost when [logs] keep_bytes of their app is full", "look whether it takes as much as apps print; [[sink]] apps and rules leave something out"});
    if (const auto lost = number_of(sink, "lost"); lost > 0)
      findings.push_back({Level::warning, "sinks", fmt::format("{} will never get {}, removed before it took them or torn", name, counted(lost, "line", "lines")), "they are missing there, and the node has them no more", "give the apps more [logs] keep_bytes"});
    if (const auto refused = number_of(sink, "refused"); refused > 0 && since.empty())
      findings.push_back({Level::warning, "sinks", fmt::format("{} refused {}{}", name, counted(refused, "entry", "entries"), refused_why(sink)), "they are missing there; the node has them", "mend what it says (docs/sinks.md)"});
  }
  if (findings.size() == before) findings.push_back({Level::ok, "sinks", sinks.empty() ? "there are none" : fmt::format("{} take{} what there is", sinks.size(), sinks.size() == 1 ? "s" : "")});
}

void check_webhooks(const json::value& status, Findings& findings) {
  const auto& webhooks = list_of(status, "webhooks");
  const std::size_t before = findings.size();
  for (const auto& webhook : webhooks) {
    const std::string name = text_of(webhook, "webhook"), since = text_of(webhook, "failing_since"), error = text_of(webhook, "last_error");
    if (!since.empty())
      findings.push_back({Level::error, "webhooks", fmt::format("{} takes nothing since {}: {}", name, since, error), "who relies on it hears nothing of this node; events wait for as long as 'keep' says", "mend what it says; nothing is to be done here afterwards (docs/webhooks.md)"});
    if (const auto dropped = number_of(webhook, "dropped"); dropped > 0)
      findings.push_back({Level::warning, "webhooks", fmt::format("{} will never get {}{}", name, counted(dropped, "event", "events"), since.empty() && !error.empty() ? ": " + error : ""), "who relies on it was not told of them", "berth events has them; [[webhook]] keep says for how long they wait"});
  }
  if (findings.size() == before) findings.push_back({Level::ok, "webhooks", webhooks.empty() ? "there are none" : fmt::format("{} take{} what there is", webhooks.size(), webhooks.size() == 1 ? "s" : "")});
}

}  // namespace

Findings check_daemon(const Subject& subject, const std::string& version) {
  Findings findings;
  check_config(subject, findings);
  if (!subject.status && subject.is_closed) {
    findings.push_back({Level::warning, "berthd", subject.unreachable, "how berthd is, and its sinks, webhooks, probes and deployments, is not known", kAsRoot});
    return findings;
  }
  if (!subject.status) {
    findings.push_back({Level::error, "berthd", subject.unreachable, "apps go on under their keepers; nothing is deployed, probed, routed anew or shipped. Its sinks, webhooks, probes and deployments could not be asked",
                        "systemctl status berthd and its log say why; systemctl start berthd"});
    return findings;
  }
  check_self(*subject.status, version, findings);
  check_sinks(*subject.status, findings);
  check_webhooks(*subject.status, findings);
  return findings;
}

}  // namespace berth::cli::doctor
