#include <algorithm>

#include <fmt/core.h>

#include "cli/doctor/checks.h"
#include "cli/json_view.h"
#include "core/trust/root_file.h"

namespace berth::cli::doctor {
namespace {

constexpr std::string_view kFileUrl = "file://";

/// What went wrong when berthd asked it last; empty where nothing did, or nobody knows.
std::string trouble_of(const Subject& subject) {
  const auto* repository = subject.status ? member(*subject.status, "repository") : nullptr;
  return repository != nullptr && repository->is_object() && !text_of(*repository, "url").empty() ? text_of(*repository, "last_error") : std::string();
}

/// One of this machine that is not there any more is found without asking it.
std::string missing_folder(const config::Repository& repository) {
  if (!repository.url.starts_with(kFileUrl) || !repository.mirrors.empty()) return {};
  const fs::path metadata = fs::path(repository.url.substr(kFileUrl.size())) / "metadata";
  std::error_code failure;
  if (fs::is_directory(metadata, failure) || failure == std::errc::permission_denied) return {};
  return fmt::format("{}: {}", metadata.string(), failure ? failure.message() : "it is no folder");
}

/// The file that is the root of trust. Once one is pinned, it is not asked any more.
void check_root(const Subject& subject, Findings& findings) {
  if (!subject.config || subject.config->repository.root.empty()) return;
  const auto right = trust::check_root_file(subject.config->repository.root);
  if (right || right.error().code == Errc::permission) return;
  std::error_code failure;
  const bool is_pinned = fs::exists(subject.paths.trust() / "root.json", failure);
  findings.push_back({is_pinned ? Level::warning : Level::error, "repository", "[repository] root: " + right.error().message,
                      is_pinned ? "this node has a root already and goes on with it; one that begins anew takes no release, and berthd --check refuses the configuration" : "no release is taken from the repository",
                      "copy the repository's metadata/root.json there, by a way that you trust, or name another file; berthd --check says whether it is right"});
}

/// What is followed and cannot be asked for, or is not on the node yet.
void check_follows(const json::value& status, bool is_readable, Findings& findings) {
  for (const auto& follow : list_of(status, "follows")) {
    const std::string app = text_of(follow, "app"), channel = text_of(follow, "channel"), since = text_of(follow, "failing_since"), note = text_of(follow, "note");
    const std::string what = fmt::format("{} follows {}", app, channel.empty() ? "one release" : channel);
    const auto& apps = list_of(status, "apps");
    const bool is_here = std::ranges::any_of(apps, [&](const json::value& one) { return text_of(one, "app") == app; });
    if (!since.empty() && is_readable)
      findings.push_back({Level::warning, "repository", fmt::format("{}, which cannot be asked for since {}: {}", what, since, text_of(follow, "last_error")), "it stays at the release that it has", "mend what it says; berthd goes on asking"});
    else if (since.empty() && !is_here)
      findings.push_back({Level::warning, "repository", fmt::format("{} and is not on this node yet{}", what, note.empty() ? "" : ": " + note), "nothing of it runs here", fmt::format("berth status; berth history {}; berth releases {}", app, app)});
  }
}

}  // namespace

Findings check_repository(const Subject& subject) {
  Findings findings;
  check_root(subject, findings);
  if (subject.config && subject.config->repository.url.empty()) {
    if (findings.empty()) findings.push_back({Level::ok, "repository", "there is none: only release files are taken"});
    return findings;
  }
  const bool is_followed = subject.config && !subject.config->follow.empty();
  std::string trouble = trouble_of(subject);
  if (trouble.empty() && subject.config) trouble = missing_folder(subject.config->repository);
  if (!trouble.empty())
    findings.push_back({is_followed ? Level::error : Level::warning, "repository", "it cannot be read: " + trouble, "no new release is taken from it; what runs goes on",
                        "mend what it says, then `berth releases APP` asks it again; metadata that expired is signed by whoever publishes (`berth repo refresh`)"});
  if (subject.status) check_follows(*subject.status, trouble.empty(), findings);
  if (findings.empty()) findings.push_back({Level::ok, "repository", subject.status ? "it was read when it was asked last, or was not asked yet" : "not known: berthd cannot be asked"});
  return findings;
}

}  // namespace berth::cli::doctor
