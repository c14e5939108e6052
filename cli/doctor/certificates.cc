#include <algorithm>

#include <fmt/core.h>
#include <mbedtls/x509_crt.h>

#include "cli/doctor/checks.h"
#include "core/files/files.h"
#include "core/io/certificates.h"
#include "core/io/revocations.h"

namespace berth::cli::doctor {
namespace {

/// A file of certificates that the configuration names.
struct Named {
  std::string of;  ///< "[api] certificate_file"
  fs::path file;
  bool own = false;  ///< it is shown to others, and has a key
};

std::vector<Named> named_in(const config::Config& config) {
  std::vector<Named> all;
  const auto add = [&](std::string of, const fs::path& file, bool own) {
    if (!file.empty()) all.push_back({std::move(of), file, own});
  };
  if (config.remote) {
    add("[api] certificate_file", config.remote->files.certificate_file, true);
    add("[api] client_ca_file", config.remote->files.client_ca_file, false);
  }
  add("[metrics] certificate_file", config.metrics_tls.certificate_file, true);
  add("[metrics] client_ca_file", config.metrics_tls.client_ca_file, false);
  add("[repository] certificate_file", config.repository.certificate_file, true);
  add("[repository] ca_file", config.repository.ca_file, false);
  for (const config::Sink& sink : config.sinks) {
    const SinkAccess access = access_of(sink);
    add(fmt::format("[[sink]] {}, certificate_file", sink.name), access.certificate_file, true);
    add(fmt::format("[[sink]] {}, ca_file", sink.name), access.ca_file, false);
  }
  for (const config::Webhook& webhook : config.webhooks) {
    add(fmt::format("[[webhook]] {}, certificate_file", webhook.name), webhook.certificate_file, true);
    add(fmt::format("[[webhook]] {}, ca_file", webhook.name), webhook.ca_file, false);
  }
  return all;
}

std::string name_in(const mbedtls_x509_crt& certificate) {
  char text[512] = {};
  return mbedtls_x509_dn_gets(text, sizeof text, &certificate.subject) > 0 ? text : "";
}

/// As berthd judges its own: a fifth of its life is left, or a week.
bool is_ending(Clock::time_point begins, Clock::time_point ends, Clock::time_point now) {
  return ends - now < std::min<Clock::duration>(std::chrono::weeks(1), (ends - begins) / 5);
}

void check_file(const Named& named, const Subject& subject, Findings& findings) {
  const auto say = [&](Level level, std::string seen, std::string why, std::string remedy) {
    findings.push_back({level, "certificates", fmt::format("{} ({}) {}", named.file.string(), named.of, seen), std::move(why), std::move(remedy)});
  };
  const std::string renew = named.own ? "put a new one in its place (openssl, your CA); a new file is taken without a restart by [api], and at the next connection elsewhere" : "put the authority's new certificate in the file, beside the old one";
  io::Certificates chain;
  if (const auto loaded = chain.load(named.file); !loaded) {
    say(Level::error, "cannot be read: " + loaded.error().message, "whoever is spoken to by TLS there is refused, or refuses this node", "put a PEM file with ECDSA or RSA certificates there, readable for root");
    return;
  }
  bool first = true;
  for (const mbedtls_x509_crt* one = chain.get(); one != nullptr && one->version != 0; one = one->next) {
    const Clock::time_point begins = io::time_of(one->valid_from), ends = io::time_of(one->valid_to);
    const std::string whose = first && named.own ? "" : fmt::format("[{}] ", name_in(*one));
    // A store of authorities has old ones in it; one that nobody shows any more harms nobody.
    const Level bad = named.own || chain.get()->next == nullptr ? Level::error : Level::warning;
    const std::string why = named.own ? "nobody believes this node by it" : "nobody of that authority is believed";
    if (ends < subject.now) say(bad, fmt::format("{}expired at {}", whose, time_text(ends)), why, renew);
    else if (begins > subject.now) say(bad, fmt::format("{}is not valid before {}", whose, time_text(begins)), why, "wait, set the clock, or " + renew);
    else if (is_ending(begins, ends, subject.now)) say(Level::warning, fmt::format("{}ends at {}", whose, time_text(ends)), "then " + why, renew);
    first = false;
  }
}

/// The lists of what authorities of clients revoked; none where `of.client_crl_file` is not there.
void check_lists(const char* table, const config::TlsFiles& of, const Subject& subject, Findings& findings) {
  if (of.client_crl_file.empty()) return;
  io::Certificates authorities;
  if (!authorities.load(of.client_ca_file)) return;  // which was told
  const io::Revocations revocations(of.client_crl_file, *authorities.get());
  const auto say = [&](Level level, const std::string& seen, std::string why) {
    findings.push_back({level, "certificates", fmt::format("{} ({} client_crl_file) {}", of.client_crl_file.string(), table, seen), std::move(why),
                        "put a new one in its place, as 'berth ca crl' or your CA writes it; it is taken without a restart"});
  };
  if (const std::string problem = revocations.problem(subject.now); !problem.empty()) return say(Level::error, "does not count: " + problem, "nobody can tell which clients were revoked, and so they are refused");
  const auto counts = revocations.counts();
  if (counts && is_ending(counts->first, counts->second, subject.now)) say(Level::warning, "ends at " + time_text(counts->second), "then clients are refused");
}

}  // namespace

Findings check_certificates(const Subject& subject) {
  Findings findings;
  if (!subject.config) return {{Level::warning, "certificates", "not looked at: the configuration cannot be read", "those that end are not told", "mend the configuration first"}};
  const auto all = named_in(*subject.config);
  for (const Named& named : all) check_file(named, subject, findings);
  if (subject.config->remote) check_lists("[api]", subject.config->remote->files, subject, findings);
  check_lists("[metrics]", subject.config->metrics_tls, subject, findings);
  if (findings.empty()) findings.push_back({Level::ok, "certificates", all.empty() ? "the configuration names none" : fmt::format("{} file{} of them: all are valid", all.size(), all.size() == 1 ? "" : "s")});
  return findings;
}

}  // namespace berth::cli::doctor
