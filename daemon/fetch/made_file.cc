#include "daemon/fetch/made_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "core/files/files.h"
#include "daemon/fetch/made_tree.h"

namespace berth::fetch {

Result<void> MadeFile::begin(int folder, const bundle::Entry& entry) {
  entry_ = &entry;
  hash_ = {};
  BERTH_TRY(file_, files::open_below(folder, entry.path.substr(entry.path.rfind('/') + 1), O_WRONLY | O_CREAT | O_EXCL, sealed_mode(entry.mode)));
  return {};
}

Result<void> MadeFile::write(std::string_view content) {
  hash_.update(content);
  return files::write_all(file_.get(), content, entry_->path);
}

Result<FileIdentity> MadeFile::end() {
  if (hash_.hex() != entry_->sha256) return fail(Errc::trust, entry_->path + ": has another content");
  struct stat is {};
  if (::fstat(file_.get(), &is) != 0) return fail_errno("stat " + entry_->path);
  const mode_t mode = sealed_mode(entry_->mode);
  if ((is.st_mode & 07777) != mode && ::fchmod(file_.get(), mode) != 0) return fail_errno("seal " + entry_->path);  // whatever the umask is
  file_.reset();
  return identity_of(is);
}

}  // namespace berth::fetch
