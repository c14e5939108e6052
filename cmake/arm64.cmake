# For machines with arm64, on another Debian: its cross compiler (g++-aarch64-linux-gnu) and arm64's own libraries beside this machine's (multiarch).
# What is built says its man pages and completions, and tests run, under qemu-user. packaging/cross-arm64.sh has all of it in a folder of its own.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64)
# pkg-config would tell of this machine's libraries.
set(ENV{PKG_CONFIG_LIBDIR} /usr/lib/aarch64-linux-gnu/pkgconfig:/usr/share/pkgconfig)
set(BERTH_MUSL_GCC /usr/bin/aarch64-linux-musl-gcc CACHE FILEPATH "musl-dev:arm64 has it")
