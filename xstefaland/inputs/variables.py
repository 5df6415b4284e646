"""The catalogue: every variable the package knows by name, as data.

One line adds an alias, one entry adds a variable. Sources: tables C1, C3 and C5 of
the StefaLand paper, CAMELS (Addor et al., 2017), Caravan (Kratzert et al., 2023),
HydroATLAS (Linke et al., 2019), the CF standard name table and the documentation of
the products named beside the aliases.
"""

from __future__ import annotations

from xstefaland.inputs.quantities import Kind, Variable, attribute, forcing

# Aliases in the order: CF/CMIP, ERA5 (short, long), Caravan, Daymet, NLDAS,
# MSWX/MSWEP and the original StefaLand, gridMET, CAMELS, USCRN, generic.
FORCINGS: tuple[Variable, ...] = (
    forcing(
        "precipitation", "mm d-1", (0, 1900), "precipitation",
        cf="precipitation_flux lwe_precipitation_rate precipitation_amount "
        "lwe_thickness_of_precipitation_amount",
        aliases="pr tp total_precipitation total_precipitation_sum avg_tprate mtpr "
        "mean_total_precipitation_rate prcp apcp rainf precip precipitation_amount "
        "ppt rr rainfall",
        cell_method="sum",
        products={
            "kg m-2 s-1": "avg_tprate mtpr mean_total_precipitation_rate",
            "m": "tp total_precipitation",
        },
    ),
    forcing(
        "temperature", "degC", (-90, 60), "daily mean air temperature at 2 m",
        cf="air_temperature",
        aliases="tas t2m 2m_temperature temperature_2m temperature_2m_mean tair tmp "
        "air_temperature tavg tmean t_mean temp mean_temperature tg",
        products={
            "K": "t2m 2m_temperature temperature_2m",
        },
    ),
    forcing(
        "temperature_max", "degC", (-85, 65), "daily maximum air temperature at 2 m",
        cf="air_temperature",
        aliases="tasmax mx2t maximum_2m_temperature_since_previous_post_processing "
        "maximum_temperature_2m temperature_2m_max tmmx tmax t_max max_temperature "
        "tx",
        cell_method="maximum",
        products={
            "K": "mx2t maximum_2m_temperature_since_previous_post_processing "
            "maximum_temperature_2m tmmx",
        },
    ),
    forcing(
        "temperature_min", "degC", (-95, 55), "daily minimum air temperature at 2 m",
        cf="air_temperature",
        aliases="tasmin mn2t minimum_2m_temperature_since_previous_post_processing "
        "minimum_temperature_2m temperature_2m_min tmmn tmin t_min min_temperature "
        "tn",
        cell_method="minimum",
        products={
            "K": "mn2t minimum_2m_temperature_since_previous_post_processing "
            "minimum_temperature_2m tmmn",
        },
    ),
    forcing(
        "shortwave_radiation", "W m-2", (0, 600),
        "downward shortwave radiation, mean over the whole day",
        cf="surface_downwelling_shortwave_flux_in_air "
        "integral_wrt_time_of_surface_downwelling_shortwave_flux_in_air",
        aliases="rsds ssrd surface_solar_radiation_downwards "
        "surface_solar_radiation_downwards_mean swdown dswrf "
        "downward_shortwave_radiation swd srad solar_radiation",
        products={
            "J m-2": "ssrd surface_solar_radiation_downwards",
        },
    ),
    forcing(  # see `daylight` in matching: Daymet calls it srad too
        "daylight_shortwave_radiation", "W m-2", (0, 1200),
        "downward shortwave radiation, mean from sunrise to sunset",
    ),
    forcing(
        "day_length", "s", (0, 86400), "time from sunrise to sunset",
        aliases="dayl daylength",
    ),
    forcing(
        "longwave_radiation", "W m-2", (30, 600),
        "downward longwave radiation, mean over the whole day",
        cf="surface_downwelling_longwave_flux_in_air "
        "integral_wrt_time_of_surface_downwelling_longwave_flux_in_air",
        aliases="rlds strd surface_thermal_radiation_downwards "
        "surface_thermal_radiation_downwards_mean lwdown dlwrf "
        "downward_longwave_radiation lwd lrad",
        products={
            "J m-2": "strd surface_thermal_radiation_downwards",
        },
    ),
    forcing(
        "net_shortwave_radiation", "W m-2", (0, 550), "net shortwave radiation",
        cf="surface_net_downward_shortwave_flux "
        "integral_wrt_time_of_surface_net_downward_shortwave_flux",
        aliases="rss ssr surface_net_solar_radiation surface_net_solar_radiation_mean",
        products={
            "J m-2": "ssr surface_net_solar_radiation",
        },
    ),
    forcing(
        "net_longwave_radiation", "W m-2", (-350, 150),
        "net longwave radiation, positive downward",
        cf="surface_net_downward_longwave_flux "
        "integral_wrt_time_of_surface_net_downward_longwave_flux",
        aliases="rls str surface_net_thermal_radiation "
        "surface_net_thermal_radiation_mean",
        products={
            "J m-2": "str surface_net_thermal_radiation",
        },
    ),
    forcing(
        "relative_humidity", "percent", (0, 110), "relative humidity near the surface",
        cf="relative_humidity",
        aliases="hurs r2 2m_relative_humidity relhum rh rh_avg rh_mean",
    ),
    forcing(
        "specific_humidity", "kg kg-1", (0, 0.05), "specific humidity near the surface",
        cf="specific_humidity", aliases="huss q2m 2m_specific_humidity qair spfh sph",
    ),
    forcing(
        "dewpoint_temperature", "degC", (-100, 40), "dewpoint temperature at 2 m",
        cf="dew_point_temperature",
        aliases="d2m 2m_dewpoint_temperature dewpoint_temperature_2m "
        "dewpoint_temperature_2m_mean tdps tdew dewpoint",
        products={
            "K": "d2m 2m_dewpoint_temperature dewpoint_temperature_2m tdps",
        },
    ),
    forcing(
        "vapour_pressure", "Pa", (0, 7500), "water vapour pressure of the air",
        cf="water_vapor_partial_pressure_in_air",
        aliases="vp vapor_pressure actual_vapour_pressure actual_vapor_pressure",
    ),
    forcing(
        "wind_speed", "m s-1", (0, 60), "wind speed near the ground",
        cf="wind_speed",
        aliases="sfcWind si10 10m_wind_speed vs wind ws wind_speed_10m",
    ),
    forcing(
        "eastward_wind", "m s-1", (-60, 60), "eastward wind near the surface",
        cf="eastward_wind",
        aliases="uas u10 10m_u_component_of_wind u_component_of_wind_10m "
        "u_component_of_wind_10m_mean wind_e ugrd",
    ),
    forcing(
        "northward_wind", "m s-1", (-60, 60), "northward wind near the surface",
        cf="northward_wind",
        aliases="vas v10 10m_v_component_of_wind v_component_of_wind_10m "
        "v_component_of_wind_10m_mean wind_n vgrd",
    ),
    forcing(
        "surface_pressure", "Pa", (30000, 110000), "air pressure at the surface",
        cf="surface_air_pressure", aliases="ps sp surface_pressure_mean psurf pres",
        products={
            "kPa": "surface_pressure_mean",
        },
    ),
    forcing(
        "snow_depth_water_equivalent", "mm", (0, 20000), "water equivalent of snow",
        cf="lwe_thickness_of_surface_snow_amount surface_snow_amount",
        aliases="snw sd snow_depth_water_equivalent_mean swe",
        products={
            "kg m-2": "snw",
        },
    ),
    forcing(
        "potential_evapotranspiration", "mm d-1", (-1, 30),
        "potential evapotranspiration",
        cf="water_potential_evaporation_flux water_potential_evapotranspiration_flux "
        "water_potential_evaporation_amount water_potential_evapotranspiration_amount",
        aliases="evspsblpot pet et0 eto etp pevap",
        cell_method="sum",
    ),
    forcing(
        "albedo", "1", (0, 1), "surface albedo",
        cf="surface_albedo", aliases="fal forecast_albedo",
    ),
    forcing("albedo_black_sky", "1", (0, 1), "black-sky albedo", aliases="bsa"),
    forcing("albedo_white_sky", "1", (0, 1), "white-sky albedo", aliases="wsa"),
    forcing(
        "leaf_area_index", "1", (0, 15), "leaf area index",
        cf="leaf_area_index", aliases="lai",
    ),
    forcing(
        "leaf_area_index_high", "1", (0, 15), "leaf area index of high vegetation",
        aliases="lai_hv leaf_area_index_high_vegetation",
    ),
    forcing(
        "leaf_area_index_low", "1", (0, 15), "leaf area index of low vegetation",
        aliases="lai_lv leaf_area_index_low_vegetation",
    ),
    forcing(
        "land_surface_temperature_day", "degC", (-100, 90),
        "land surface temperature at daytime", aliases="lst_day lst_day_1km",
    ),
    forcing(
        "land_surface_temperature_night", "degC", (-100, 70),
        "land surface temperature at night", aliases="lst_night lst_night_1km",
    ),
    forcing(
        "soil_temperature", "degC", (-60, 70),
        "temperature of the uppermost soil layer",
        aliases="stl1 soil_temperature_level_1 soil_temperature_level_1_mean",
    ),
)  # fmt: skip

# HydroATLAS stores some columns times 10; its documentation is the source of the
# units in `alias_units`. `slp_dg_sav` is an angle: m km-1 is its tangent.
ATTRIBUTES: tuple[Variable, ...] = (
    attribute("climate", "p_mean", "mm d-1", (0, 50), "mean daily precipitation",
              aliases="meanP mean_precipitation"),
    attribute("climate", "pet_mean", "mm d-1", (0, 15), "mean daily PET"),
    attribute("climate", "aridity", "1", (0, 200), "PET over precipitation"),
    attribute("climate", "p_seasonality", "1", (-3, 3),
              "seasonality and timing of precipitation (Woods, 2009)"),
    attribute("climate", "frac_snow", "1", (0, 1), "precipitation falling as snow",
              aliases="snow_fraction"),
    attribute("climate", "high_prec_freq", "d yr-1", (0, 100),
              "days with at least five times the mean precipitation"),
    attribute("climate", "high_prec_dur", "d", (0, 60),
              "mean length of runs of high-precipitation days"),
    attribute("climate", "low_prec_freq", "d yr-1", (0, 366),
              "days with less than 1 mm of precipitation"),
    attribute("climate", "low_prec_dur", "d", (0, 10000), "mean length of dry runs"),
    attribute("climate", "temperature_mean", "degC", (-60, 45), "mean temperature",
              aliases="meanTa mean_annual_temperature",
              alias_units=(("tmp_dc_syr", "0.1 degC"),)),
    attribute("climate", "temperature_range", "degC", (0, 80),
              "warmest minus coldest month of the mean annual cycle",
              difference=True),
    attribute("climate", "permafrost_frac", "1", (0, 1), "permafrost extent",
              aliases="permafrost", alias_units=(("prm_pc_sse", "percent"),)),
    attribute("topography", "elevation", "m", (-450, 9000), "mean elevation",
              cf="surface_altitude",
              aliases="orog elev elev_mean mean_elevation meanelevation altitude dem "
              "ele_mt_sav GMTED_elevation"),
    attribute("topography", "slope", "m km-1", (0, 6000), "mean slope",
              aliases="slope_mean mean_slope",
              alias_units=(("slp_dg_sav", "0.1 degree"),)),
    attribute("topography", "area", "km2", (0, 7e6), "drainage area",
              aliases="area_gages2 area_km2 drainage_area catchment_area basin_area "
              "catchsize"),
    attribute("topography", "aspect_cosine", "1", (-1, 1), "cosine of the aspect",
              aliases="aspectcosine GMTED_aspectcosine"),
    attribute("topography", "roughness", "m", (0, 5000), "terrain roughness"),
    attribute("topography", "profile_curvature", "m-1", (-1, 1), "profile curvature",
              aliases="pcurv"),
    attribute("soil", "sand", "percent", (0, 100), "sand in the soil",
              aliases="sand_frac snd_pc_sav HWSD_sand t_sand"),
    attribute("soil", "silt", "percent", (0, 100), "silt in the soil",
              aliases="silt_frac slt_pc_sav HWSD_silt t_silt"),
    attribute("soil", "clay", "percent", (0, 100), "clay in the soil",
              aliases="clay_frac cly_pc_sav HWSD_clay t_clay"),
    attribute("soil", "organic_frac", "percent", (0, 100), "organic soil"),
    attribute("soil", "soil_organic_carbon", "t ha-1", (0, 2000),
              "organic carbon in the soil", alias_units=(("soc_th_sav", "t ha-1"),)),
    attribute("soil", "soil_depth", "m", (0, 100), "depth to bedrock",
              aliases="soil_depth_pelletier"),
    attribute("soil", "soil_depth_statsgo", "m", (0, 10), "soil depth of STATSGO"),
    attribute("soil", "soil_porosity", "1", (0, 1), "porosity of the soil",
              cf="soil_porosity"),
    attribute("soil", "soil_conductivity", "cm h-1", (0, 500),
              "saturated hydraulic conductivity of the soil",
              cf="soil_hydraulic_conductivity_at_saturation"),
    attribute("soil", "max_water_content", "m", (0, 20), "maximum soil water content"),
    attribute("soil", "soil_erosion", "kg ha-1 yr-1", (0, 1e6), "soil erosion",
              alias_units=(("ero_kh_sav", "kg ha-1 yr-1"),)),
    attribute("soil", "bulk_density", "kg m-3", (50, 2700), "bulk density of the soil",
              alias_units=(("t_bulk_den", "kg dm-3"),)),
    attribute("geology", "carbonate_rocks_frac", "1", (0, 1), "carbonate rocks",
              aliases="carbonate_sedimentary_rocks_frac"),
    attribute("geology", "karst_frac", "1", (0, 1), "karst",
              alias_units=(("kar_pc_sse", "percent"),)),
    attribute("geology", "geol_porosity", "1", (0, 1), "porosity of the subsurface",
              aliases="geol_porostiy"),
    attribute("geology", "geol_permeability", "1", (-25, -5),
              "decimal logarithm of the subsurface permeability in m2",
              aliases="Permeability_no_permafrost"),
    attribute("geology", "groundwater_table_depth", "cm", (0, 100000),
              "depth of the groundwater table", cf="water_table_depth",
              alias_units=(("gwt_cm_sav", "cm"),)),
    attribute("vegetation", "frac_forest", "1", (0, 1), "forest cover",
              aliases="forest_frac forest_fraction",
              alias_units=(("for_pc_sse", "percent"),)),
    attribute("vegetation", "grassland_frac", "1", (0, 1), "grassland",
              aliases="grassland_fraction"),
    attribute("vegetation", "crop_frac", "1", (0, 1), "cropland",
              aliases="agriculture_fraction cropland_frac",
              alias_units=(("crp_pc_sse", "percent"),)),
    attribute("vegetation", "pasture_frac", "1", (0, 1), "pasture",
              alias_units=(("pst_pc_sse", "percent"),)),
    attribute("vegetation", "glacier_frac", "1", (0, 1), "glacier",
              cf="land_ice_area_fraction", aliases="snow_ice glaciers",
              alias_units=(("gla_pc_sse", "percent"),)),
    attribute("vegetation", "wetland_frac", "1", (0, 1), "wetland",
              alias_units=(("wet_pc_sg1", "percent"),)),
    attribute("vegetation", "open_water_frac", "1", (0, 1), "open water",
              aliases="open_water"),
    attribute("vegetation", "ndvi", "1", (-1, 1), "mean NDVI",
              cf="normalized_difference_vegetation_index", aliases="MODIS_NDVI"),
    attribute("vegetation", "lai_max", "1", (0, 15), "largest monthly LAI"),
    attribute("vegetation", "lai_diff", "1", (0, 15), "annual range of monthly LAI"),
    attribute("vegetation", "gvf_max", "1", (0, 1), "largest monthly green fraction"),
    attribute("vegetation", "gvf_diff", "1", (0, 1),
              "annual range of the monthly green vegetation fraction"),
    attribute("vegetation", "root_depth_50", "m", (0, 20), "depth of half the roots"),
    attribute("vegetation", "root_depth_99", "m", (0, 70), "depth of 99 % of roots"),
    attribute("human", "population_density", "km-2", (0, 50000), "population density",
              alias_units=(("ppd_pk_sav", "km-2"),)),
    attribute("human", "urban_frac", "1", (0, 1), "urban area",
              aliases="urban urban_fraction",
              alias_units=(("urb_pc_sse", "percent"),)),
    attribute("human", "irrigated_frac", "1", (0, 1), "irrigated area",
              alias_units=(("ire_pc_sse", "percent"),)),
    attribute("human", "gdp_per_capita", "USD", (0, 300000), "GDP per person",
              alias_units=(("gdp_ud_sav", "USD"),)),
    attribute("human", "human_footprint", "1", (0, 50), "human footprint index",
              alias_units=(("hft_ix_s09", "0.1"),)),
    attribute("human", "intact_forest", "1", (0, 1), "intact forest",
              aliases="forest_intact_fraction intact_forest_fraction"),
)  # fmt: skip

CATALOGUE: dict[str, Variable] = {v.name: v for v in (*FORCINGS, *ATTRIBUTES)}
"""Canonical name -> :class:`Variable`."""


def names_of(kind: Kind) -> tuple[str, ...]:
    """Canonical names of all forcings or all attributes, in catalogue order.

    Examples
    --------
    >>> names_of("forcing")[:2]
    ('precipitation', 'temperature')
    """
    return tuple(v.name for v in CATALOGUE.values() if v.kind == kind)
