#include "daemon/unpack/tree_writer.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/files/files.h"

namespace berth::unpack {
namespace {

/// What a tar that breaks a rule makes of an operation, as against a disk in trouble.
bool is_its_fault(int number) {
  return number == EEXIST || number == ENOENT || number == ENOTDIR || number == ELOOP || number == ENAMETOOLONG || number == EFBIG;
}

std::unexpected<Error> fail_entry(Error error, int number) {
  if (is_its_fault(number)) error.code = Errc::trust;
  return std::unexpected(std::move(error));
}

std::unexpected<Error> fail_entry(const std::string& doing) {
  const int number = errno;
  return fail_entry(fail_errno(doing, number).error(), number);
}

}  // namespace

Result<int> TreeWriter::folder_of(std::string_view path) {
  const auto slash = path.rfind('/');
  if (slash == std::string_view::npos) return target_;
  const std::string_view folder = path.substr(0, slash);
  if (!folder_ || folder_path_ != folder) {
    folder_.reset();
    BERTH_TRY(folder_, files::open_below(target_, folder, O_PATH | O_DIRECTORY));
    folder_path_ = folder;
  }
  return folder_.get();
}

Result<void> TreeWriter::enter(const bundle::Entry& entry) {
  file_.reset();
  file_path_ = entry.path;
  const auto folder = folder_of(entry.path);
  if (!folder) return fail_entry({folder.error().code, entry.path + ": " + folder.error().message}, errno);
  const std::string name = entry.path.substr(entry.path.rfind('/') + 1);
  switch (entry.type) {
    case bundle::EntryType::directory:
      if (::mkdirat(*folder, name.c_str(), entry.mode) != 0) return fail_entry("make the folder " + entry.path);
      return {};
    case bundle::EntryType::symlink:
      if (::symlinkat(entry.target.c_str(), *folder, name.c_str()) != 0) return fail_entry("make the link " + entry.path);
      return {};
    case bundle::EntryType::file: break;
  }
  auto file = files::open_below(*folder, name, O_WRONLY | O_CREAT | O_EXCL, entry.mode);
  if (!file) return fail_entry({file.error().code, entry.path + ": " + file.error().message}, errno);
  file_ = std::move(*file);
  return {};
}

Result<void> TreeWriter::write(std::string_view content) {
  const auto written = files::write_all(file_.get(), content, file_path_);
  if (!written) return fail_entry(written.error(), errno);
  return {};
}

}  // namespace berth::unpack
