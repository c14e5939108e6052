# What berth stands on; packaging/install-deps.sh installs it all.

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS json)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(prometheus-cpp REQUIRED COMPONENTS core)
find_package(CLI11 REQUIRED)
if(BUILD_TESTING OR NOT DEFINED BUILD_TESTING)
  find_package(GTest REQUIRED)
  include(GoogleTest)
endif()

foreach(module libsystemd libarchive libzstd nettle hogweed sqlite3 libnftables libseccomp libnghttp2)
  string(REPLACE "lib" "" short ${module})
  pkg_check_modules(${module} REQUIRED IMPORTED_TARGET ${module})
  add_library(dep_${short} INTERFACE)
  target_link_libraries(dep_${short} INTERFACE PkgConfig::${module})
endforeach()

find_library(MBEDTLS_LIBRARY mbedtls REQUIRED)
find_library(MBEDX509_LIBRARY mbedx509 REQUIRED)
find_library(MBEDCRYPTO_LIBRARY mbedcrypto REQUIRED)
add_library(dep_mbedtls INTERFACE)
target_link_libraries(dep_mbedtls INTERFACE ${MBEDTLS_LIBRARY} ${MBEDX509_LIBRARY} ${MBEDCRYPTO_LIBRARY})

find_path(TOMLPLUSPLUS_INCLUDE toml++/toml.h REQUIRED)
add_library(dep_toml INTERFACE)
target_include_directories(dep_toml SYSTEM INTERFACE ${TOMLPLUSPLUS_INCLUDE})

# Asio is used header-only; its separate compilation unit lives in core/io.
add_library(dep_asio INTERFACE)
target_link_libraries(dep_asio INTERFACE Boost::headers Threads::Threads)
