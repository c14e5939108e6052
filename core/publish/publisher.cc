#include "core/publish/publisher.h"

#include <algorithm>

#include "core/trust/glob.h"
#include "core/trust/repository_files.h"

namespace berth::publish {

std::string role_of(const trust::RepositoryState& state, const std::string& app, const std::string& environment) {
  const std::string name = bundle::target_name(app, environment, "v1");
  for (const trust::DelegatedRole& role : state.delegations)
    if (std::ranges::any_of(role.paths, [&](const std::string& path) { return trust::matches_glob(path, name); })) return role.role;
  return "";
}

Result<Publisher> Publisher::open(const Repository& repository, const std::string& app, const std::string& environment) {
  Publisher publisher;
  publisher.repository_ = repository.folder;
  BERTH_TRY(const auto state, trust::read_repository(repository.folder));
  const std::string role = role_of(state, app, environment);
  if (role.empty()) {
    BERTH_TRY(publisher.own_, trust::RepositoryWriter::open(repository.folder, repository.keys, repository.now, {}, repository.wait));
    return publisher;
  }
  const fs::path incoming = repository.incoming.empty() ? trust::incoming_of(repository.folder) : repository.incoming;
  BERTH_TRY(publisher.delegated_, trust::RoleWriter::open(repository.folder, incoming, role, repository.keys, repository.now, false, {}, repository.wait));
  publisher.role_ = role;
  return publisher;
}

const trust::RepositoryState& Publisher::state() const { return own_ ? own_->state() : delegated_->state(); }

Folders Publisher::folders() const { return own_ ? Folders{repository_} : Folders{repository_, delegated_->folder()}; }

BlobFolder Publisher::blobs() const { return own_ ? BlobFolder(repository_) : BlobFolder(delegated_->folder(), repository_); }

Result<void> Publisher::add_targets(const std::map<std::string, std::string>& targets, const std::map<std::string, std::string>& pointers) {
  return own_ ? own_->add_targets(targets, pointers) : delegated_->add_targets(targets, pointers);
}

fs::path Publisher::handed_in() const { return own_ ? fs::path() : delegated_->file(); }
std::int64_t Publisher::missing_signatures() const { return own_ ? 0 : delegated_->missing_signatures(); }

}  // namespace berth::publish
