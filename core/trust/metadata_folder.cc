#include "core/trust/metadata_folder.h"

#include "core/files/files.h"
#include "core/trust/limits.h"
#include "core/trust/role_name.h"

namespace berth::trust {

Result<std::string> MetadataFolder::read(std::string_view role) const { return files::read(file(role), kMostMetadata); }

Result<void> MetadataFolder::keep(std::string_view role, std::string_view bytes) const { return files::replace(file(role), bytes); }

bool MetadataFolder::has(std::string_view role) const {
  std::error_code ignored;
  return std::filesystem::exists(file(role), ignored);
}

Result<void> MetadataFolder::make() const { return files::make_directories(folder_); }

std::filesystem::path MetadataFolder::file(std::string_view role) const { return folder_ / (encode_role(role) + ".json"); }

}  // namespace berth::trust
