#include <fmt/core.h>

#include "cli/doctor/checks.h"
#include "cli/json_view.h"
#include "core/files/files.h"
#include "core/trust/limits.h"
#include "core/trust/time.h"

namespace berth::cli::doctor {
namespace {

constexpr std::chrono::days kSoon{30};  ///< root is renewed by people, who want time

struct Held {
  std::string file;
  std::int64_t version = 0;
  Clock::time_point expires;
};

/// What a file of metadata says of itself. Whether it is signed is berthd's business, who wrote it when it had verified it.
Result<Held> read_held(const fs::path& file) {
  BERTH_TRY(const std::string text, files::read(file, trust::kMostMetadata));
  BERTH_TRY(const json::value document, json::parse(text));
  const auto* content = member(document, "signed");
  if (content == nullptr) return fail(Errc::protocol, "it has no member 'signed'");
  BERTH_TRY(const Clock::time_point expires, trust::parse_time(text_of(*content, "expires")));
  return Held{.file = file.filename().string(), .version = number_of(*content, "version"), .expires = expires};
}

void judge(const Held& held, const Subject& subject, bool is_polled, Findings& findings) {
  const auto say = [&](Level level, std::string seen, std::string why, std::string remedy) {
    findings.push_back({level, "metadata", fmt::format("{} (version {}) {}", held.file, held.version, std::move(seen)), std::move(why), std::move(remedy)});
  };
  const std::string when = trust::to_string(held.expires);
  const std::string publisher = "whoever publishes signs it anew (`berth repo status` there says which files end, `berth repo refresh` signs timestamp and snapshot)";
  if (held.expires < subject.now) {
    // Without [[follow]] nobody asks between two deployments: the repository may well have a newer one.
    if (is_polled) say(Level::error, "expired at " + when, "no new release is taken; what runs goes on", publisher);
    else say(Level::warning, "expired at " + when + ", as it was when the repository was asked last", "unless the repository has a newer one, no new release is taken", "berth releases APP asks it; else " + publisher);
  } else if (held.file == "root.json" && held.expires < subject.now + kSoon) {
    say(Level::warning, "ends at " + when, "then no new release is taken", "whoever holds root's keys renews it: berth repo rotate root, or berth repo sign");
  }
}

}  // namespace

Findings check_trust(const Subject& subject) {
  Findings findings;
  if (subject.config && subject.config->repository.url.empty())
    return {{Level::ok, "metadata", "there is no [repository] url: only release files are taken"}};
  std::error_code failure;
  int looked_at = 0;
  bool was_read = false;
  for (fs::directory_iterator it(subject.paths.trust(), failure), end; !failure && it != end; it.increment(failure)) {
    // What was seen of a channel lies there, too: "web.production.stable.json".
    if (it->path().extension() != ".json" || it->path().stem().string().find('.') != std::string::npos) continue;
    const auto held = read_held(it->path());
    ++looked_at;
    was_read = was_read || it->path().filename() == "timestamp.json";
    if (held) judge(*held, subject, subject.config && !subject.config->follow.empty(), findings);
    else if (held.error().code == Errc::permission) return {{Level::warning, "metadata", held.error().message, "it was not looked at", "run berth doctor as root"}};
    else
      findings.push_back({Level::error, "metadata", fmt::format("{} is damaged: {}", it->path().string(), held.error().message), "no new release is taken until it is read again",
                          "stop berthd, remove the file and start it: it is fetched again, and believed as [repository] root and the roots that follow it allow"});
  }
  if (findings.empty() && looked_at == 0)
    findings.push_back({Level::warning, "metadata", fmt::format("there is none below {}", subject.paths.trust().string()), "the repository was never read", "berth releases APP asks it, and says what is wrong"});
  else if (findings.empty() && !was_read)
    findings.push_back({Level::warning, "metadata", fmt::format("there is no timestamp.json below {}: the repository was never read whole", subject.paths.trust().string()),
                        "no release of it is known here", "berth releases APP asks it, and says what is wrong"});
  if (findings.empty()) findings.push_back({Level::ok, "metadata", fmt::format("the repository's {} file{} of metadata: none expired", looked_at, looked_at == 1 ? "" : "s")});
  return findings;
}

}  // namespace berth::cli::doctor
