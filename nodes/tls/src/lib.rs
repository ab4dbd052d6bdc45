//! TLS for every port that speaks it: certificates read from files and read again when the files change, one set of rustls
//! settings. Which port speaks TLS is the configuration's word; listening is the servers' work.
