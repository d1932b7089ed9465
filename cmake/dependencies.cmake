# Every third-party library, found once. A module names the ones it uses; docs/dependencies.md says why each is here.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
foreach(dep
    openssl libsodium libnghttp2 libcares yaml-cpp fmt zlib libbrotlienc libbrotlidec libzstd libcurl libseccomp
    libcap libpcre2-8 libhs libxml-2.0 modsecurity libmaxminddb
    sqlite3 libpq hiredis libqrencode)
  string(TOUPPER ${dep} key)
  string(REGEX REPLACE "[-.]" "_" key ${key})
  pkg_check_modules(${key} REQUIRED IMPORTED_TARGET ${dep})
endforeach()
if(GATEHOUSE_TESTS)
  find_package(GTest REQUIRED)
  pkg_check_modules(LIBFIDO2 REQUIRED IMPORTED_TARGET libfido2)
endif()
find_package(benchmark QUIET)
